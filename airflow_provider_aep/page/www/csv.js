/* The exports as a file for a spreadsheet, in the order of the table. Times are ISO 8601 in UTC. */

const COLUMNS = {
  connection: (one) => one.conn_id,
  sandbox: (one) => one.sandbox,
  export: (one) => one.name,
  dataflow_id: (one) => one.id,
  state: (one) => one.state,
  outcome: (one) => one.outcome,
  last_tick: (one) => one.decided?.at,
  what_happened: (one) => one.decided?.told,
  warnings: (one) => (one.warnings ?? []).join("; "),
  bad_ticks: (one) => one.bad,
  shown_ticks: (one) => one.ticks?.length,
  last_good_data: (one) => one.last_good_at,
  datasets: (one) => (one.datasets ?? []).map(({ id, name }) => name ?? id).join("; "),
  destination: (one) => one.destination_title ?? one.destination,
  lands_in: (one) => one.lands_in,
  cadence: (one) => one.every,
  next_tick: (one) => one.next_tick,
  ends_at: (one) => one.ends_at,
  owner: (one) => one.owner,
};

/** A value in the form of RFC 4180. A text that a spreadsheet would read as a formula gets an apostrophe. */
function cell(value) {
  const text = String(value ?? "");
  const plain = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

export function toCsv(exports) {
  const rows = [Object.keys(COLUMNS), ...exports.map((one) => Object.values(COLUMNS).map((read) => read(one)))];
  return rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

export function saveCsv(exports) {
  // Without the byte order mark, some spreadsheets assume another encoding.
  const address = URL.createObjectURL(new Blob(["\ufeff", toCsv(exports)], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = `aep-exports-${new Date().toISOString().slice(0, 16).replaceAll(":", "")}Z.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

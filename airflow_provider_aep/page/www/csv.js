/* The exports as a file for a spreadsheet, in the order of the table. Times are ISO 8601 in UTC. */

const COLUMNS = {
  connection: (dataflow) => dataflow.conn_id,
  sandbox: (dataflow) => dataflow.sandbox,
  export: (dataflow) => dataflow.name,
  dataflow_id: (dataflow) => dataflow.id,
  state: (dataflow) => dataflow.state,
  outcome: (dataflow) => dataflow.outcome,
  last_tick: (dataflow) => dataflow.decided?.at,
  what_happened: (dataflow) => dataflow.decided?.told,
  warnings: (dataflow) => (dataflow.warnings ?? []).join("; "),
  bad_ticks: (dataflow) => dataflow.bad,
  shown_ticks: (dataflow) => dataflow.ticks?.length,
  last_good_data: (dataflow) => dataflow.last_good_at,
  datasets: (dataflow) => (dataflow.datasets ?? []).map(({ id, name }) => name ?? id).join("; "),
  destination: (dataflow) => dataflow.destination_title ?? dataflow.destination,
  lands_in: (dataflow) => dataflow.lands_in,
  cadence: (dataflow) => dataflow.every,
  next_tick: (dataflow) => dataflow.next_tick,
  ends_at: (dataflow) => dataflow.ends_at,
  owner: (dataflow) => dataflow.owner,
};

/** A value in the form of RFC 4180. A text that a spreadsheet would read as a formula gets an apostrophe. */
function cell(value) {
  const text = String(value ?? "");
  const plain = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

export function toCsv(exports) {
  const rows = [Object.keys(COLUMNS), ...exports.map((dataflow) => Object.values(COLUMNS).map((read) => read(dataflow)))];
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

/* The ledger: what was exported in this calendar year, by month, export, dataset and destination, beside an allowance.
 *
 * It is requested when it is opened, as it needs the runs of a year.
 */

import { useAnswer } from "./answers.js";
import { Cell, Name, Notice, Waiting } from "./parts.js";
import { AnswerTrouble, SourceTroubles } from "./troubles.js";
import { bytes, count, fullTime, plainName, plural } from "./words.js";

const { createElement: h, useState } = globalThis.React;

const FIRST = 10;

const STANDINGS = {
  ok: ["ok", "✓", "will suffice"],
  near: ["warn", "!", "nearly used up"],
  forecast: ["warn", "!", "will not suffice"],
  used_up: ["fail", "✕", "used up"],
};

export function Usage({ now }) {
  const [open, setOpen] = useState(false);
  return h(
    "section",
    { className: "aep-section aep-usage-section" },
    h(
      "details",
      { className: "aep-details", onToggle: (event) => setOpen(event.currentTarget.open) },
      h("summary", null, "What was exported this year"),
      open && h(Ledgers, { now }),
    ),
  );
}

function Ledgers({ now }) {
  const { data, error, receivedAt } = useAnswer("aep/api/usage");
  if (data === null) {
    return error === null ? h(Waiting, null, "Loading the runs of the year …") : h(AnswerTrouble, { error, receivedAt, now });
  }
  const loading = data.sources.some((source) => source.state === "loading");
  return h(
    "div",
    null,
    h(AnswerTrouble, { error, receivedAt, now }),
    h(SourceTroubles, { sources: data.sources, sinceSeconds: Math.max(now - receivedAt, 0) / 1000 }),
    loading && h(Waiting, null, "Loading the runs of the year …"),
    data.usage.map((ledger) => h(Ledger, { key: `${ledger.conn_id}/${ledger.sandbox}`, ledger })),
  );
}

function Ledger({ ledger }) {
  return h(
    "article",
    { className: "aep-usage" },
    h("h2", null, `${ledger.year}, sandbox `, h(Name, null, ledger.sandbox), h("span", { className: "aep-faint aep-gap", title: fullTime(ledger.at) }, `days and months in ${ledger.timezone}`)),
    ledger.problem && h(Notice, { tone: "warn" }, plainName(ledger.problem)),
    ledger.allowances.map((allowance) => h(Allowance, { key: allowance.allowance, allowance })),
    ledger.total === null
      ? h("p", { className: "aep-faint" }, "No run of this year is listed.")
      : [
          h("p", { key: "total" }, `In all ${amount(ledger.total, "records")} and ${amount(ledger.total, "bytes")}, in ${plural(ledger.total.runs, "run")}.`),
          h(Table, { key: "months", title: "Month", rows: ledger.months.map((row) => ({ ...row, id: row.month, name: row.month })) }),
          h(Table, { key: "exports", title: "Export", rows: largestFirst(ledger.exports), beside: "Destination" }),
          h(Table, { key: "datasets", title: "Dataset", rows: largestFirst(ledger.datasets) }),
          h(Table, { key: "destinations", title: "Destination", rows: largestFirst(ledger.destinations.map((row) => ({ ...row, id: row.name }))) }),
        ],
    h("ul", { className: "aep-faint aep-usage-notes" }, ledger.notes.map((note) => h("li", { key: note }, plainName(note)))),
  );
}

function largestFirst(rows) {
  return [...rows].sort((a, b) => b.bytes - a.bytes || b.records - a.records);
}

/** "at least 12,400 records + 2 runs unknown": an unknown count is never shown as zero. */
function amount(sums, measure) {
  const unknown = sums[`${measure}_unknown`];
  if (unknown > 0 && unknown >= sums.runs && sums[measure] === 0) {
    return `unknown ${measure}`;
  }
  const sum = measure === "bytes" ? bytes(sums.bytes) : plural(sums.records, "record");
  const known = sums.incomplete ? `at least ${sum}` : sum;
  return unknown > 0 ? `${known} + ${plural(unknown, "run")} unknown` : known;
}

function Allowance({ allowance }) {
  const [tone, sign, title] = STANDINGS[allowance.status] ?? STANDINGS.near;
  const used = Math.min(allowance.share, 1);
  const forecast = allowance.forecast === null ? used : Math.min(allowance.forecast / allowance.limit, 1);
  return h(
    "div",
    { className: "aep-allowance" },
    h("span", { className: `aep-badge aep-outcome-${tone}` }, h("span", { className: "aep-sign", "aria-hidden": true }, sign), title),
    h(
      "svg",
      { className: `aep-meter aep-meter-${tone}`, viewBox: "0 0 100 8", preserveAspectRatio: "none", role: "img", "aria-label": `${Math.round(allowance.share * 100)} % used` },
      h("rect", { className: "aep-meter-ground", width: 100, height: 8 }),
      h("rect", { className: "aep-meter-forecast", width: forecast * 100, height: 8 }),
      h("rect", { className: "aep-meter-used", width: used * 100, height: 8 }),
    ),
    h("p", null, plainName(allowance.told)),
  );
}

function Table({ title, rows, beside }) {
  const [all, setAll] = useState(false);
  const shown = all ? rows : rows.slice(0, Math.max(FIRST, title === "Month" ? 12 : 0));
  const most = Math.max(1, ...rows.map((row) => row.bytes));
  const heads = [title, beside, "Runs", "Records", "Bytes"].filter(Boolean);
  return h(
    "div",
    { className: "aep-scroll aep-usage-table" },
    h(
      "table",
      { role: "table", className: "aep-table aep-cards" },
      h("caption", { className: "aep-unseen" }, `By ${title.toLowerCase()}`),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads.map((head) => h("th", { key: head, role: "columnheader", scope: "col" }, head)))),
      h(
        "tbody",
        { role: "rowgroup" },
        shown.map((row) =>
          h(
            "tr",
            { key: row.id, role: "row" },
            h("th", { role: "rowheader", scope: "row" }, h(Name, null, row.name)),
            beside && h(Cell, { title: beside }, plainName(row.destination ?? "–")),
            h(Cell, { title: "Runs" }, row.failed > 0 ? `${count(row.runs)}, ${count(row.failed)} failed` : count(row.runs)),
            h(Cell, { title: "Records" }, amount(row, "records")),
            h(
              Cell,
              { title: "Bytes" },
              amount(row, "bytes"),
              h("svg", { className: "aep-usage-bar", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": true }, h("rect", { width: (row.bytes / most) * 100, height: 4 })),
            ),
          ),
        ),
      ),
    ),
    shown.length < rows.length &&
      h("p", { className: "aep-more" }, h("button", { type: "button", className: "aep-button", onClick: () => setAll(true) }, `Show all ${rows.length}`)),
  );
}

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
    data.usage.map((one) => h(Ledger, { key: `${one.conn_id}/${one.sandbox}`, one })),
  );
}

function Ledger({ one }) {
  return h(
    "article",
    { className: "aep-usage" },
    h("h2", null, `${one.year}, sandbox `, h(Name, null, one.sandbox), h("span", { className: "aep-faint aep-gap", title: fullTime(one.at) }, `days and months in ${one.timezone}`)),
    one.problem && h(Notice, { tone: "warn" }, plainName(one.problem)),
    one.allowances.map((each) => h(Allowance, { key: each.allowance, each })),
    one.total === null
      ? h("p", { className: "aep-faint" }, "No run of this year is listed.")
      : [
          h("p", { key: "total" }, `In all ${told(one.total, "records")} and ${told(one.total, "bytes")}, in ${plural(one.total.runs, "run")}.`),
          h(Table, { key: "months", title: "Month", rows: one.months.map((each) => ({ ...each, id: each.month, name: each.month })) }),
          h(Table, { key: "exports", title: "Export", rows: largestFirst(one.exports), beside: "Destination" }),
          h(Table, { key: "datasets", title: "Dataset", rows: largestFirst(one.datasets) }),
          h(Table, { key: "destinations", title: "Destination", rows: largestFirst(one.destinations.map((each) => ({ ...each, id: each.name }))) }),
        ],
    h("ul", { className: "aep-faint aep-usage-notes" }, one.notes.map((note) => h("li", { key: note }, plainName(note)))),
  );
}

function largestFirst(rows) {
  return [...rows].sort((one, other) => other.bytes - one.bytes || other.records - one.records);
}

/** "at least 12,400 records + 2 runs unknown": an unknown count is never shown as zero. */
function told(one, measure) {
  const unknown = one[`${measure}_unknown`];
  if (unknown > 0 && unknown >= one.runs && one[measure] === 0) {
    return `unknown ${measure}`;
  }
  const sum = measure === "bytes" ? bytes(one.bytes) : plural(one.records, "record");
  const known = one.incomplete ? `at least ${sum}` : sum;
  return unknown > 0 ? `${known} + ${plural(unknown, "run")} unknown` : known;
}

function Allowance({ each }) {
  const [tone, sign, title] = STANDINGS[each.status] ?? STANDINGS.near;
  const used = Math.min(each.share, 1);
  const forecast = each.forecast === null ? used : Math.min(each.forecast / each.limit, 1);
  return h(
    "div",
    { className: "aep-allowance" },
    h("span", { className: `aep-badge aep-outcome-${tone}` }, h("span", { className: "aep-sign", "aria-hidden": true }, sign), title),
    h(
      "svg",
      { className: `aep-meter aep-meter-${tone}`, viewBox: "0 0 100 8", preserveAspectRatio: "none", role: "img", "aria-label": `${Math.round(each.share * 100)} % used` },
      h("rect", { className: "aep-meter-ground", width: 100, height: 8 }),
      h("rect", { className: "aep-meter-forecast", width: forecast * 100, height: 8 }),
      h("rect", { className: "aep-meter-used", width: used * 100, height: 8 }),
    ),
    h("p", null, plainName(each.told)),
  );
}

function Table({ title, rows, beside }) {
  const [all, setAll] = useState(false);
  const shown = all ? rows : rows.slice(0, Math.max(FIRST, title === "Month" ? 12 : 0));
  const most = Math.max(1, ...rows.map((each) => each.bytes));
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
        shown.map((each) =>
          h(
            "tr",
            { key: each.id, role: "row" },
            h("th", { role: "rowheader", scope: "row" }, h(Name, null, each.name)),
            beside && h(Cell, { title: beside }, plainName(each.destination ?? "–")),
            h(Cell, { title: "Runs" }, each.failed > 0 ? `${count(each.runs)}, ${count(each.failed)} failed` : count(each.runs)),
            h(Cell, { title: "Records" }, told(each, "records")),
            h(
              Cell,
              { title: "Bytes" },
              told(each, "bytes"),
              h("svg", { className: "aep-usage-bar", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": true }, h("rect", { width: (each.bytes / most) * 100, height: 4 })),
            ),
          ),
        ),
      ),
    ),
    shown.length < rows.length &&
      h("p", { className: "aep-more" }, h("button", { type: "button", className: "aep-button", onClick: () => setAll(true) }, `Show all ${rows.length}`)),
  );
}

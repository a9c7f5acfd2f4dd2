/* The tab on a task instance: the run that this task waited for, or the exports that it judged. */

import { useAnswer, useNow } from "./answers.js";
import { outcomeOf } from "./kinds.js";
import { Cell, Empty, LinkIn, LinkOut, Name, Notice, Outcome, Waiting, When } from "./parts.js";
import { RunsTable } from "./runs.js";
import { AnswerTrouble } from "./troubles.js";
import { plainName, plural, sentence, shortTime } from "./words.js";

const { createElement: h, useState } = globalThis.React;

const FIRST = 50;
const HEADS = ["Export", "Judged", "What was found"];

export function TaskTab({ dagId, runId, taskId, mapIndex }) {
  const asked = new URLSearchParams({ dag_id: dagId, run_id: runId, task_id: taskId, map_index: mapIndex ?? "-1" });
  const { data, error, receivedAt } = useAnswer(`aep/api/task?${asked}`);
  const now = useNow();
  return h(
    "div",
    { className: "aep" },
    h(AnswerTrouble, { error, receivedAt, now }),
    data === null && error === null && h(Waiting, null, "Loading what this task judged …"),
    data?.state === "nothing" && h(Empty, { title: "No export" }, plainName(data.told)),
    data?.state === "checked" && h(Checked, { data, now }),
    data?.state === "waited" && h(Waited, { data, now }),
  );
}

function Waited({ data, now }) {
  const { verdict, runs, links } = data;
  return h(
    "div",
    null,
    h(
      "header",
      { className: "aep-head" },
      h("h1", null, h(Name, null, data.dataflow_name ?? data.dataflow_id ?? "Dataflow")),
      verdict && h(Outcome, { outcome: verdict.outcome }),
    ),
    h("p", null, sentence(data.told)),
    verdict?.reason && verdict.reason !== data.told && h("p", null, h("bdi", null, sentence(verdict.reason))),
    h(
      "p",
      { className: "aep-links" },
      data.page && h(LinkIn, { to: data.page }, "Open this export"),
      links?.platform && h(LinkOut, { to: links.platform }, "Platform UI"),
    ),
    runs?.length > 0 && h("section", { className: "aep-section" }, h("h2", null, "Runs"), h(RunsTable, { runs, now })),
  );
}

/** The exports that a check, or a sensor for many exports, judged, the worst first. */
function Checked({ data, now }) {
  const [all, setAll] = useState(false);
  const { exports, totals, notes } = data;
  const shown = all ? exports : exports.slice(0, FIRST);
  return h(
    "div",
    null,
    h("header", { className: "aep-head" }, h("h1", null, `${plural(exports.length + data.left_out, "export")} judged`), h(Outcome, { outcome: data.outcome })),
    data.since && h("p", null, `What became known from ${shortTime(data.since)} to ${shortTime(data.until)}, in sandbox `, h(Name, null, data.sandbox), "."),
    data.told && h("p", null, sentence(data.told)),
    data.waits_for > 0 && h("p", null, `It still waits for ${plural(data.waits_for, "tick")}.`),
    notes.map((note) => h(Notice, { key: note, tone: "none" }, sentence(note))),
    h(
      "div",
      { className: "aep-summary" },
      Object.entries(totals)
        .filter(([, number]) => number > 0)
        .map(([outcome, number]) => h(Outcome, { key: outcome, outcome, number })),
    ),
    exports.length > 0 && h(Judged, { exports: shown, now }),
    shown.length < exports.length && h("p", { className: "aep-more" }, h("button", { type: "button", className: "aep-button", onClick: () => setAll(true) }, `Show all ${exports.length}`)),
    data.left_out > 0 && h("p", { className: "aep-faint" }, `${plural(data.left_out, "export")} did not fit here; the log of the task has them.`),
  );
}

function Judged({ exports, now }) {
  return h(
    "div",
    { className: "aep-scroll", tabIndex: 0, role: "region", "aria-label": "Exports, the worst first" },
    h(
      "table",
      { role: "table", className: "aep-table aep-cards aep-findings" },
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, HEADS.map((head) => h("th", { key: head, role: "columnheader", scope: "col" }, head)))),
      h("tbody", { role: "rowgroup" }, exports.map((judged, at) => h(JudgedRow, { key: `${judged.dataflow_id} ${at}`, judged, now }))),
    ),
  );
}

function JudgedRow({ judged, now }) {
  const name = h(Name, null, judged.dataflow_name ?? judged.dataflow_id);
  return h(
    "tr",
    { role: "row" },
    h(
      "th",
      { role: "rowheader", scope: "row" },
      judged.page ? h(LinkIn, { to: judged.page }, name) : name,
      judged.platform && h("div", null, h(LinkOut, { to: judged.platform }, "Platform UI")),
    ),
    h(Cell, { title: HEADS[1], className: "aep-tight" }, h(Outcome, { outcome: judged.outcome })),
    h(
      Cell,
      { title: HEADS[2], className: "aep-found" },
      judged.findings.map((finding, at) => h(Finding, { key: at, finding, now })),
      judged.more > 0 && h("div", { className: "aep-faint" }, `and ${plural(judged.more, "finding")} more`),
      judged.recovered && h("div", null, "recovered: ", h("bdi", null, sentence(judged.recovered))),
      judged.findings.length === 0 && !judged.recovered && h("span", { className: "aep-faint" }, judged.outcome === "ok" ? "nothing wrong" : "not kept here; see the log of the task"),
    ),
  );
}

function Finding({ finding, now }) {
  return h(
    "div",
    null,
    h("span", { "aria-hidden": true }, `${outcomeOf(finding.outcome).sign} `),
    h("strong", null, plainName(finding.kind).replaceAll("_", " ")),
    finding.standing && " (known before)",
    ": ",
    h("bdi", null, sentence(finding.told)),
    finding.tick && h("span", { className: "aep-faint" }, " – tick of ", h(When, { at: finding.tick, now, absolute: true })),
  );
}

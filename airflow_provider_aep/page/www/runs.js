/* The runs of an export, with their errors and what those mean. */

import { FIRST as FIRST_EXPORT } from "./kinds.js";
import { Cell, Kind, Name, When } from "./parts.js";
import { bytes, count, duration, plainName, sentence, shortTime } from "./words.js";

const { createElement: h, Fragment, useState } = globalThis.React;

const HEADS = ["Started", "Outcome", "Records", "Bytes", "Files", "Duration", "What happened"];
const NUMBERS = new Set(["Records", "Bytes", "Files", "Duration"]);
const FIRST = 10;

/** The newest runs; the rest when asked for. */
export function RunsTable({ runs, now }) {
  const [all, setAll] = useState(false);
  const shown = all ? runs : runs.slice(0, FIRST);
  return h(
    Fragment,
    null,
    h(Rows, { runs: shown, now }),
    shown.length < runs.length &&
      h(
        "p",
        { className: "aep-more" },
        h("button", { type: "button", className: "aep-button", onClick: () => setAll(true) }, `Show all ${runs.length} runs`),
      ),
  );
}

function Rows({ runs, now }) {
  return h(
    "div",
    { className: "aep-scroll", tabIndex: 0, role: "region", "aria-label": "Runs, newest first" },
    h(
      "table",
      { role: "table", className: "aep-table aep-cards aep-findings" },
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, HEADS.map((head) => h("th", { key: head, role: "columnheader", scope: "col", className: NUMBERS.has(head) ? "aep-number" : undefined }, head)))),
      h(
        "tbody",
        { role: "rowgroup" },
        runs.map((run) => h(Run, { key: run.id, run, now })),
      ),
    ),
  );
}

function Run({ run, now }) {
  const errors = run.errors ?? [];
  return h(
    Fragment,
    null,
    h(
      "tr",
      { role: "row", className: errors.length ? "aep-joined" : undefined },
      h("th", { role: "rowheader", scope: "row", className: "aep-tight" }, h(When, { at: run.started_at, now, absolute: true })),
      h(Cell, { title: HEADS[1], className: "aep-tight" }, h(Kind, { kind: run.kind }), run.is_first ? h("div", { className: "aep-faint" }, FIRST_EXPORT) : null),
      h(Cell, { title: HEADS[2], className: "aep-number" }, count(run.records)),
      h(Cell, { title: HEADS[3], className: "aep-number" }, bytes(run.bytes)),
      h(Cell, { title: HEADS[4], className: "aep-number" }, count(run.files)),
      h(Cell, { title: HEADS[5], className: "aep-number" }, duration(run.duration_seconds)),
      h(Cell, { title: HEADS[6], className: "aep-told aep-found" }, h("bdi", null, sentence(run.reason)), h("div", { className: "aep-faint" }, h("code", null, run.id), run.tick ? ` for the tick of ${shortTime(run.tick)}` : null)),
    ),
    errors.length > 0 && h("tr", { role: "row" }, h("td", { role: "cell", colSpan: HEADS.length, className: "aep-errors" }, h(Errors, { errors }))),
  );
}

/** Adobe's words, what they mean, and what to do. */
export function Errors({ errors }) {
  return h(
    "ul",
    null,
    errors.map(({ code, told, meaning, advice }, index) =>
      h(
        "li",
        { key: index },
        h("code", null, plainName(code)),
        " ",
        h(Name, null, told),
        meaning && h("div", null, plainName(meaning)),
        advice && h("div", { className: "aep-advice" }, plainName(advice)),
      ),
    ),
  );
}

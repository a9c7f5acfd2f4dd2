/* The runs of an export, with their errors and what those mean. */

import { FIRST as FIRST_EXPORT } from "./kinds.js";
import { Kind, Name, When } from "./parts.js";
import { bytes, count, duration, plainName, shortTime } from "./words.js";

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
      { className: "aep-table" },
      h("thead", null, h("tr", null, HEADS.map((head) => h("th", { key: head, scope: "col", className: NUMBERS.has(head) ? "aep-number" : undefined }, head)))),
      h(
        "tbody",
        null,
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
      { className: errors.length ? "aep-joined" : undefined },
      h("th", { scope: "row", className: "aep-tight" }, h(When, { at: run.started_at, now, absolute: true })),
      h("td", { className: "aep-tight" }, h(Kind, { kind: run.kind }), run.is_first ? h("div", { className: "aep-faint" }, FIRST_EXPORT) : null),
      h("td", { className: "aep-number" }, count(run.records)),
      h("td", { className: "aep-number" }, bytes(run.bytes)),
      h("td", { className: "aep-number" }, count(run.files)),
      h("td", { className: "aep-number" }, duration(run.duration_seconds)),
      h("td", { className: "aep-told" }, h("bdi", null, plainName(run.reason)), h("div", { className: "aep-faint" }, h("code", null, run.id), run.tick ? ` for the tick of ${shortTime(run.tick)}` : null)),
    ),
    errors.length > 0 && h("tr", null, h("td", { colSpan: HEADS.length, className: "aep-errors" }, h(Errors, { errors }))),
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

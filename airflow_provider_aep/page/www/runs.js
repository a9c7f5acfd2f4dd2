/* The runs of an export, with their errors and what they mean. */

import { FIRST as FIRST_EXPORT } from "./kinds.js";
import { useAnswer } from "./answers.js";
import { Cell, Id, Kind, LinkIn, Name, When } from "./parts.js";
import { bytes, count, duration, plainName, sentence, shortTime } from "./words.js";

const { createElement: h, Fragment, useEffect, useRef, useState } = globalThis.React;

const HEADS = ["Started", "Outcome", "Records", "Bytes", "Files", "Duration", "What happened"];
const NUMBERS = new Set(["Records", "Bytes", "Files", "Duration"]);
const FIRST = 10;
const ACTS = ["wheel", "pointerdown", "keydown", "touchmove"];

/**
 * The newest runs, with a button for the rest.
 *
 * @param opened the id of the run that is open
 * @param onOpen called with the id of a run to open, or "" to close it; without it, no run opens
 */
export function RunsTable({ runs, now, opened = "", onOpen }) {
  const [all, setAll] = useState(false);
  const reach = all ? runs.length : Math.max(FIRST, runs.findIndex((run) => run.id === opened) + 1);
  const shown = runs.slice(0, reach);
  return h(
    Fragment,
    null,
    h(Rows, { runs: shown, now, opened, onOpen }),
    opened !== "" && !runs.some((run) => run.id === opened) && h("p", { className: "aep-faint" }, `Run ${plainName(opened)} is not listed here, or no longer.`),
    shown.length < runs.length &&
      h(
        "p",
        { className: "aep-more" },
        h("button", { type: "button", className: "aep-button", onClick: () => setAll(true) }, `Show all ${runs.length} runs`),
      ),
  );
}

function Rows({ runs, now, opened, onOpen }) {
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
        runs.map((run) => h(Run, { key: run.id, run, now, isOpen: run.id === opened, onOpen })),
      ),
    ),
  );
}

function Run({ run, now, isOpen, onOpen }) {
  const errors = run.errors ?? [];
  const row = useRef(null);
  useInSight(row, isOpen);
  return h(
    Fragment,
    null,
    h(
      "tr",
      { role: "row", ref: row, className: [errors.length || isOpen ? "aep-joined" : "", isOpen ? "aep-opened" : ""].join(" ").trim() || undefined },
      h("th", { role: "rowheader", scope: "row", className: "aep-tight" }, onOpen ? h(Opener, { run, now, isOpen, onOpen }) : h(When, { at: run.started_at, now, absolute: true })),
      h(Cell, { title: HEADS[1], className: "aep-tight" }, h(Kind, { kind: run.kind }), run.is_first ? h("div", { className: "aep-faint" }, FIRST_EXPORT) : null),
      h(Cell, { title: HEADS[2], className: "aep-number" }, count(run.records)),
      h(Cell, { title: HEADS[3], className: "aep-number" }, bytes(run.bytes)),
      h(Cell, { title: HEADS[4], className: "aep-number" }, count(run.files)),
      h(Cell, { title: HEADS[5], className: "aep-number" }, h(Took, { run, now })),
      h(Cell, { title: HEADS[6], className: "aep-told aep-found" }, h("bdi", null, sentence(run.reason)), h("div", { className: "aep-faint" }, h("code", null, run.id), run.tick ? ` for the tick of ${shortTime(run.tick)}` : null)),
    ),
    errors.length > 0 && h("tr", { role: "row" }, h("td", { role: "cell", colSpan: HEADS.length, className: "aep-errors" }, h(Errors, { errors }))),
    isOpen && h("tr", { role: "row", className: "aep-opened" }, h("td", { role: "cell", colSpan: HEADS.length, className: "aep-errors" }, h(More, { run }))),
  );
}

/** Keeps the row that the address named in view while content above it loads, until the user acts. */
function useInSight(row, isOpen) {
  const named = useRef(isOpen); // a row that is opened by a click is in view already
  useEffect(() => {
    if (!named.current) {
      return undefined;
    }
    const watch = new ResizeObserver(() => row.current?.scrollIntoView({ block: "center" }));
    watch.observe(row.current.closest(".aep > *"));
    const stop = () => watch.disconnect();
    ACTS.forEach((act) => addEventListener(act, stop, { once: true }));
    return () => {
      stop();
      ACTS.forEach((act) => removeEventListener(act, stop));
    };
  }, [row]);
}

function Opener({ run, now, isOpen, onOpen }) {
  const title = `${isOpen ? "Hide" : "Show"} the files of this run, and the tasks that judged it`;
  return h("button", { type: "button", className: "aep-link", "aria-expanded": isOpen, title, onClick: () => onOpen(isOpen ? "" : run.id) }, isOpen ? "▾ " : "▸ ", h(When, { at: run.started_at, now, absolute: true }));
}

/** How long a run took, or has been under way, beside the usual duration. */
function Took({ run, now }) {
  if (run.completed_at || !run.started_at) {
    return duration(run.duration_seconds);
  }
  const soFar = Math.max(0, (now - Date.parse(run.started_at)) / 1000);
  const usual = run.usual_seconds;
  return [
    `${duration(soFar < 60 ? soFar : Math.floor(soFar / 60) * 60)} so far`,
    usual && h("div", { key: "usual", className: soFar > 2 * usual ? "aep-soon" : "aep-faint" }, `usually ${duration(usual)}`),
  ];
}

/** Details of the open run: where its files are, the task instances that judged it, and a link to it. */
function More({ run }) {
  const { data, error } = useAnswer(`aep/api/runs/${encodeURIComponent(run.id)}`);
  const judges = data?.judges ?? [];
  return h(
    "dl",
    { className: "aep-facts" },
    run.folders?.length > 0 && h("div", null, h("dt", null, "Files"), run.folders.map((url) => h("dd", { key: url }, h(Id, { id: url, label: `Copy ${url}` })))),
    h(
      "div",
      null,
      h("dt", null, "Judged by"),
      judges.map((judge) => h("dd", { key: judge.path }, h(LinkIn, { to: judge.path }, h(Name, null, `${judge.dag_id} / ${judge.task_id}${judge.map_index < 0 ? "" : ` [${judge.map_index}]`}`)), h("div", { className: "aep-faint" }, h(Name, null, judge.run_id)))),
      judges.length === 0 && h("dd", { className: "aep-faint" }, error ? "Airflow does not say." : data ? "no task that you may see" : "…"),
    ),
    h("div", null, h("dt", null, "Link to this run"), h("dd", null, h(Id, { id: new URL(`plugin/aep-exports?run=${encodeURIComponent(run.id)}`, document.baseURI).href, label: "Copy the link to this run" }))),
  );
}

/** Adobe's error messages, what they mean, and what to do. */
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

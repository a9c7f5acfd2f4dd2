/* One export: its charts, runs, gaps and entities. */

import { useAnswer, useNow } from "./answers.js";
import { Charts } from "./charts.js";
import { AnswerTrouble, Empty, Ends, Id, Kind, LinkIn, LinkOut, Name, Notice, Outcome, SourceTrouble, Waiting, When } from "./parts.js";
import { RunsTable } from "./runs.js";
import { Strip, TickList } from "./strip.js";
import { age, cadence, plainName } from "./words.js";

const { createElement: h, useEffect, useRef } = globalThis.React;

/** @param opened "<connection>/<sandbox>/<dataflow id>" */
export function OneExport({ opened, back, onClose }) {
  const [connection, sandbox, ...rest] = opened.split("/");
  const path = ["aep/api/exports", connection, sandbox ?? "", rest.join("/")].map((part, index) => (index ? encodeURIComponent(part) : part)).join("/");
  const { data, error, receivedAt } = useAnswer(path);
  const now = useNow();
  const heading = useRef(null);
  const here = data !== null;

  useEffect(() => {
    heading.current?.focus(); // what was opened begins here
  }, [opened, here]);
  useEffect(() => {
    const close = (event) => {
      if (event.key === "Escape" && !event.defaultPrevented) {
        onClose();
      }
    };
    document.addEventListener("keydown", close);
    return () => document.removeEventListener("keydown", close);
  }, [onClose]);

  return h(
    "div",
    { className: "aep-one" },
    h("nav", { "aria-label": "Exports" }, h(LinkIn, { to: back }, "← All exports")),
    error?.kind === "not_found" && data === null
      ? h(Empty, { title: "No such export" }, "Sandbox ", h(Name, null, sandbox), " of connection ", h(Name, null, connection), " has no export dataflow with this id, or no longer.")
      : h(AnswerTrouble, { error, receivedAt, now }),
    data === null && error === null && h(Waiting, null, "Asking for this export and its runs …"),
    data !== null && data.export === null && h(NotYet, { source: data.source }),
    data?.export && h(Shown, { data, now, heading, sinceSeconds: (now - receivedAt) / 1000 }),
  );
}

/** Its sandbox has not been read so far. */
function NotYet({ source }) {
  return source.state === "loading" ? h(Waiting, null, "Asking for this export and its runs …") : h(SourceTrouble, { source });
}

function Shown({ data, now, heading, sinceSeconds }) {
  const { export: one, runs, usual, gaps, entities, links } = data;
  return h(
    "div",
    null,
    h(
      "header",
      { className: "aep-head" },
      h("h1", { ref: heading, tabIndex: -1 }, h(Name, null, one.name)),
      h(Outcome, { outcome: one.outcome }),
      h("span", { className: "aep-faint" }, one.state),
    ),
    data.source && h(SourceTrouble, { source: data.source, sinceSeconds: Math.max(sinceSeconds, 0) }),
    one.verdict && h("p", null, h("bdi", null, plainName(one.verdict.reason)), " ", h("span", { className: "aep-faint" }, h(When, { at: one.verdict.at, now }))),
    (one.warnings ?? []).map((warning) => h(Notice, { key: warning, tone: "warn" }, plainName(warning))),
    h(Facts, { one, links: links ?? {}, now }),
    h(
      Section,
      { title: "Last ticks" },
      one.ticks.length === 0 ? h("p", { className: "aep-faint" }, "Its schedule has not ticked yet.") : h(Ticks, { ticks: one.ticks }),
    ),
    h(
      Section,
      { title: "Runs" },
      runs.length === 0
        ? h("p", { className: "aep-faint" }, "There has been no run yet.")
        : [h(Charts, { key: "charts", runs, usual, now }), h(RunsTable, { key: "runs", runs, now })],
    ),
    h(Section, { title: "Gaps" }, gaps.length === 0 ? h("p", { className: "aep-faint" }, "No tick is missing, late or doubled.") : h(Gaps, { gaps, now })),
    h(Section, { title: "Entities" }, h(Entities, { entities })),
    h("p", { className: "aep-faint" }, `As the service told it ${age(Math.max(sinceSeconds + (data.source?.age_seconds ?? 0), 0))} ago.`),
  );
}

function Section({ title, children }) {
  return h("section", { className: "aep-section" }, h("h2", null, title), children);
}

/** "dag / task", from the path of a task's page. */
const taskName = (path) => path.split("/").filter((part, at) => at % 2 === 1).map(decodeURIComponent).join(" / ");

function Facts({ one, links, now }) {
  const facts = [
    ["Destination", one.destination_title ?? one.destination],
    ["Cadence", cadence(one.every)],
    ["Next tick", h(When, { at: one.next_tick, now })],
    ["Ends in", h(Ends, { export: one })],
    ["Datasets", (one.datasets ?? []).map(({ id, name }) => h("div", { key: id }, h(Name, null, name ?? id)))],
    ["Sandbox", h(Name, null, one.sandbox)],
    ["Connection", h(Name, null, one.conn_id)],
    ["Owner", links.owner && h(Name, null, links.owner)],
    ["Airflow task", links.task && h(LinkIn, { to: links.task }, h(Name, null, taskName(links.task)))],
    ["In Adobe", links.platform && h(LinkOut, { to: links.platform }, "Platform UI")],
  ];
  return h(
    "dl",
    { className: "aep-facts" },
    facts.filter(([, fact]) => fact).map(([title, fact]) => h("div", { key: title }, h("dt", null, title), h("dd", null, fact))),
  );
}

function Ticks({ ticks }) {
  return h(
    "div",
    null,
    h(Strip, { ticks, large: true }),
    h("details", { className: "aep-details" }, h("summary", null, "As a list"), h(TickList, { ticks })),
  );
}

function Gaps({ gaps, now }) {
  return h(
    "ul",
    { className: "aep-list" },
    gaps.map(({ at, kind, told }) =>
      h("li", { key: `${at} ${kind}` }, h(Kind, { kind }), h("span", { className: "aep-faint" }, h(When, { at, now, absolute: true })), h("span", null, plainName(told))),
    ),
  );
}

function Entities({ entities }) {
  return h(
    "ul",
    { className: "aep-list aep-entities" },
    entities.map(({ kind, id, name }) =>
      h("li", { key: `${kind} ${id}` }, h("span", { className: "aep-faint" }, kind), h("span", null, name ? h(Name, null, name) : null), h(Id, { id, what: `the ${kind} ${plainName(name ?? "")}`.trim() })),
    ),
  );
}

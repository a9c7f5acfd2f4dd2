/* One export: its charts, runs, findings and entities. */

import { useAnswer, useNow } from "./answers.js";
import { Charts } from "./charts.js";
import { outcomeOf } from "./kinds.js";
import { Cell, Empty, Ends, Id, LinkIn, LinkOut, Name, Notice, Waiting, When } from "./parts.js";
import { RunsTable } from "./runs.js";
import { Badge, LastGood, tellNow } from "./state.js";
import { Story } from "./story.js";
import { Strip, TickList } from "./strip.js";
import { AnswerTrouble, SourceTrouble } from "./troubles.js";
import { age, cadence, plainName, sentence, zoneName } from "./words.js";

const { createElement: h, useEffect, useRef } = globalThis.React;

const MOST_DATASETS = 5;

/** @param opened "<connection>/<sandbox>/<dataflow id>" */
export function OneExport({ opened, back, onClose, run, change }) {
  const [connection, sandbox, ...rest] = opened.split("/");
  const path = ["aep/api/exports", connection, sandbox ?? "", rest.join("/")].map((part, index) => (index ? encodeURIComponent(part) : part)).join("/");
  const { data, error, receivedAt } = useAnswer(path);
  const now = useNow();
  const heading = useRef(null);
  const here = data !== null;
  const arrived = useRef(run); // if the address names a run, the page scrolls to it and does not focus the heading

  useEffect(() => {
    if (arrived.current === "") {
      heading.current?.focus(); // the opened export starts here
    }
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
      ? h(Empty, { title: "No such export" }, "Sandbox ", h(Name, null, sandbox), " of connection ", h(Name, null, connection), " has no export dataflow with this id, or no longer has it.")
      : h(AnswerTrouble, { error, receivedAt, now }),
    data === null && error === null && h(Waiting, null, "Loading this export and its runs …"),
    data !== null && data.export === null && h(NotYet, { source: data.source }),
    data?.export && h(Shown, { data, path, now, heading, run, change, sinceSeconds: (now - receivedAt) / 1000 }),
  );
}

/** Shown while its sandbox has not been read. */
function NotYet({ source }) {
  return source.state === "loading" ? h(Waiting, null, "Loading this export and its runs …") : h(SourceTrouble, { source });
}

function Shown({ data, path, now, heading, run, change, sinceSeconds }) {
  const { export: dataflow, runs, usual, findings, entities, links } = data;
  const underWay = tellNow(dataflow);
  return h(
    "div",
    null,
    h(
      "header",
      { className: "aep-head" },
      h("h1", { ref: heading, tabIndex: -1, className: "aep-clamp" }, h(Name, null, dataflow.name)),
      h(Badge, { dataflow }),
      h("span", { className: "aep-faint" }, dataflow.state),
    ),
    data.source && h(SourceTrouble, { source: data.source, sinceSeconds: Math.max(sinceSeconds, 0) }),
    dataflow.decided && h("p", null, h("bdi", null, sentence(dataflow.decided.told)), " ", h("span", { className: "aep-faint" }, h(When, { at: dataflow.decided.at, now }))),
    underWay && h("p", null, h("bdi", null, sentence(underWay))),
    (dataflow.warnings ?? []).map((warning) => h(Notice, { key: warning, tone: "warn" }, sentence(warning))),
    h(Facts, { dataflow, lands: data.lands, links: links ?? {}, now }),
    h(
      Section,
      { title: "Last ticks" },
      dataflow.ticks.length === 0 ? h("p", { className: "aep-faint" }, "Its schedule has had no tick yet.") : h(Ticks, { ticks: dataflow.ticks }),
    ),
    h(Story, { key: path, path, wrong: dataflow.bad > 0 || dataflow.outcome === "fail" || dataflow.outcome === "warn", now }),
    h(
      Section,
      { title: "Runs" },
      runs.length === 0
        ? h("p", { className: "aep-faint" }, "There has been no run yet.")
        : [h(Charts, { key: "charts", runs, usual, now }), h(RunsTable, { key: "runs", runs, now, opened: run, onOpen: (id) => change({ run: id }) })],
    ),
    h(Section, { title: "Findings" }, findings.length === 0 ? h("p", { className: "aep-faint" }, "A check would find no problem in the time that is shown.") : h(Findings, { findings, now })),
    h(Section, { title: "Entities" }, h(Entities, { entities })),
    h("p", { className: "aep-faint" }, `As the service showed it ${age(Math.max(sinceSeconds + (data.source?.age_seconds ?? 0), 0))} ago; times in ${zoneName(now)}.`),
  );
}

function Section({ title, children }) {
  return h("section", { className: "aep-section" }, h("h2", null, title), children);
}

/** "dag / task", from the path of a task's page. */
const taskName = (path) => path.split("/").filter((part, at) => at % 2 === 1).map(decodeURIComponent).join(" / ");

function Facts({ dataflow, lands, links, now }) {
  const facts = [
    ["Destination", dataflow.destination_title ?? dataflow.destination],
    ["Cadence", cadence(dataflow.every)],
    ["Last good data", h(LastGood, { dataflow, now })],
    ["Next tick", h(When, { at: dataflow.next_tick, now })],
    ["Ends in", h(Ends, { dataflow })],
    ["Datasets", h(Datasets, { datasets: dataflow.datasets ?? [] })],
    ["Sandbox", h(Name, null, dataflow.sandbox)],
    ["Connection", h(Name, null, dataflow.conn_id)],
    ["Owner", dataflow.owner && h(Name, null, dataflow.owner)],
    ["Files", lands && h(Lands, { lands })],
    ["Airflow task", links.task && h(LinkIn, { to: links.task }, h(Name, null, taskName(links.task)))],
    ["In Adobe", links.platform && h(LinkOut, { to: links.platform }, "Platform UI")],
  ];
  return h(
    "dl",
    { className: "aep-facts" },
    facts.filter(([, fact]) => fact).map(([title, fact]) => h("div", { key: title }, h("dt", null, title), h("dd", null, fact))),
  );
}

/** Where its files land: the common folder, the folders within it, and the file format. */
function Lands({ lands }) {
  return [h(Id, { key: "url", id: lands.url, label: "Copy the address of the files" }), h("div", { key: "template", className: "aep-faint" }, [lands.format, lands.template].filter(Boolean).map(plainName).join(", in "))];
}

/** The first few; the list of entities has them all. */
function Datasets({ datasets }) {
  const more = datasets.length - MOST_DATASETS;
  return [
    datasets.slice(0, MOST_DATASETS).map(({ id, name }) => h("div", { key: id }, h(Name, null, name ?? id))),
    more > 0 && h("div", { key: "more", className: "aep-faint" }, `and ${more} more, below`),
  ];
}

function Ticks({ ticks }) {
  return h(
    "div",
    null,
    h(Strip, { ticks, large: true }),
    h("details", { className: "aep-details" }, h("summary", null, "As a list"), h(TickList, { ticks })),
  );
}

const FINDING_HEADS = ["Finding", "Became known", "Tick", "What was found"];

/** The findings of a check, in its words, newest first. */
function Findings({ findings, now }) {
  const heads = FINDING_HEADS.map((head) => h("th", { key: head, role: "columnheader", scope: "col" }, head));
  return h(
    "table",
    { role: "table", className: "aep-table aep-cards aep-findings" },
    h("caption", { className: "aep-unseen" }, "Findings, newest first"),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads)),
    h(
      "tbody",
      { role: "rowgroup" },
      findings.map(({ key, kind, outcome, told, known_at, tick }) =>
        h(
          "tr",
          { key, role: "row" },
          h("th", { role: "rowheader", scope: "row", className: "aep-tight" }, h(FindingKind, { kind, outcome })),
          h(Cell, { title: FINDING_HEADS[1], className: "aep-tight" }, h(When, { at: known_at, now, absolute: true })),
          h(Cell, { title: FINDING_HEADS[2], className: "aep-tight" }, h(When, { at: tick, now, absolute: true })),
          h(Cell, { title: FINDING_HEADS[3], className: "aep-found" }, h("bdi", { className: "aep-name" }, sentence(told))),
        ),
      ),
    ),
  );
}

/** The kind as a check's result names it, with the sign of its outcome by the default policy. */
function FindingKind({ kind, outcome }) {
  const { sign, tone } = outcomeOf(outcome);
  return h("span", { className: `aep-badge aep-outcome-${tone}` }, h("span", { className: "aep-sign", "aria-hidden": true }, sign), kind.replaceAll("_", " "));
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

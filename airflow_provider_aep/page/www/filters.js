/* The filters and the order of the exports: pure functions, and their controls. */

import { OUTCOMES, outcomeOf } from "./kinds.js";
import { saveCsv } from "./csv.js";
import { cadence, cadenceHours, plainName, plural } from "./words.js";

const { createElement: h, useEffect, useRef, useState } = globalThis.React;

const BY_DEFAULT = "state";
const TYPING_MS = 250;

/** What the list can be filtered by: an outcome, or bad ticks with any outcome. */
const KEPT = {
  ...Object.fromEntries(Object.entries(OUTCOMES).map(([name, known]) => [name, { ...known, passes: (dataflow) => outcomeOf(dataflow.outcome) === known }])),
  bad: { title: "with bad ticks", sign: "◔", tone: "none", passes: (dataflow) => dataflow.bad > 0 },
};

// What a table can be filtered and grouped by: the name in the address, the value of an export, and its title.
const BY = {
  conn: ["Connection", (dataflow) => dataflow.conn_id],
  sandbox: ["Sandbox", (dataflow) => dataflow.sandbox],
  owner: ["Owner", (dataflow) => dataflow.owner ?? NOBODY],
  destination: ["Destination", (dataflow) => dataflow.destination ?? "", (dataflow) => dataflow.destination_title ?? dataflow.destination],
  every: ["Cadence", (dataflow) => dataflow.every ?? "", (dataflow) => cadence(dataflow.every)],
};
const NOBODY = "-"; // an export without an owner's mark

const titleBy = (name, dataflow) => {
  const [, value, title = value] = BY[name];
  return value(dataflow) === NOBODY ? "nobody" : plainName(title(dataflow));
};

/** The state in the address: `{q, conn, sandbox, owner, destination, every, outcome, group, sort, opened, run}`, each a string. */
export function readAddress(params) {
  const read = (name) => params.get(name) ?? "";
  return {
    q: read("q"),
    ...Object.fromEntries(Object.keys(BY).map((name) => [name, read(name)])),
    group: Object.hasOwn(BY, read("group")) ? read("group") : "",
    outcome: Object.hasOwn(KEPT, read("outcome")) ? read("outcome") : "",
    sort: Object.hasOwn(ORDERS, read("sort").replace(/^-/, "")) ? read("sort") : BY_DEFAULT,
    opened: read("export"),
    run: read("run"),
  };
}

/** Whether the address filters or groups the exports. */
export const narrows = ({ q, outcome, group, ...rest }) => [q, outcome, group, ...Object.keys(BY).map((name) => rest[name])].some((value) => value !== "");

/** The address with some changes; default values are left out. */
export function changed(params, changes) {
  const next = new URLSearchParams(params);
  for (const [name, value] of Object.entries(changes)) {
    if (value === "" || value === null || (name === "sort" && value === BY_DEFAULT)) {
      next.delete(name);
    } else {
      next.set(name, value);
    }
  }
  return next;
}

export const keyOf = (dataflow) => `${dataflow.conn_id}/${dataflow.sandbox}/${dataflow.id}`;

const datasetNames = (dataflow) => (dataflow.datasets ?? []).map(({ id, name }) => name ?? id).join(" ");

/** The sort key of a column; a missing time or number sorts last, except that exports without good data sort first. */
export const ORDERS = {
  name: (dataflow) => dataflow.name ?? "",
  datasets: datasetNames,
  destination: (dataflow) => dataflow.destination_title ?? dataflow.destination ?? "",
  every: (dataflow) => cadenceHours(dataflow.every),
  next: (dataflow) => Date.parse(dataflow.next_tick ?? "") || Infinity,
  ends: (dataflow) => dataflow.days_left ?? Infinity,
  state: (dataflow) => dataflow.severity ?? Infinity,
  good: (dataflow) => Date.parse(dataflow.last_good_at ?? "") || 0,
  ticks: (dataflow) => -(dataflow.bad ?? 0),
};

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

function compare(a, b) {
  return typeof a === "number" ? (a === b ? 0 : a - b) : collator.compare(a, b);
}

/** The exports that pass the filter, in order; equals by name. */
export function chosen(exports, { q, outcome, sort, ...filter }) {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const passing = exports.filter(
    (dataflow) =>
      Object.entries(BY).every(([name, [, value]]) => (filter[name] ?? "") === "" || value(dataflow) === filter[name]) &&
      (outcome === "" || KEPT[outcome].passes(dataflow)) &&
      passes(dataflow, words),
  );
  const downward = sort.startsWith("-");
  const order = ORDERS[downward ? sort.slice(1) : sort];
  return passing
    .map((dataflow) => [order(dataflow), dataflow])
    .sort(([a, left], [b, right]) => (downward ? compare(b, a) : compare(a, b)) || compare(ORDERS.name(left), ORDERS.name(right)))
    .map(([, dataflow]) => dataflow);
}

/** The exports in groups, in order: `[[title, exports], ...]`; one without a title if they are not grouped. */
export function grouped(exports, group) {
  if (group === "") {
    return [["", exports]];
  }
  const groups = new Map();
  for (const dataflow of exports) {
    const title = titleBy(group, dataflow);
    groups.set(title, [...(groups.get(title) ?? []), dataflow]);
  }
  // In the order of the first export of each group.
  return [...groups].map(([title, members]) => [`${BY[group][0]}: ${title}`, members]);
}

function passes(dataflow, words) {
  if (words.length === 0) {
    return true;
  }
  const ids = (dataflow.datasets ?? []).map(({ id }) => id).join(" ");
  const text = `${dataflow.name} ${dataflow.id} ${dataflow.conn_id} ${dataflow.sandbox} ${dataflow.owner} ${dataflow.lands_in} ${dataflow.destination_title} ${dataflow.state} ${datasetNames(dataflow)} ${ids}`;
  const sentences = [dataflow.decided?.told, dataflow.current?.told, ...(dataflow.warnings ?? [])].filter(Boolean);
  const lower = `${text} ${sentences.join(" ")}`.toLowerCase();
  return words.every((word) => lower.includes(word));
}

function Choice({ label, value, options, none = "all", onChange }) {
  return h(
    "label",
    { className: "aep-field" },
    h("span", null, label),
    h(
      "select",
      { value, "aria-label": label, onChange: (event) => onChange(event.target.value) },
      h("option", { value: "" }, none),
      options.map(([option, title]) => h("option", { key: option, value: option }, title)),
    ),
  );
}

function options(exports, name, kept) {
  const titles = new Map(exports.map((dataflow) => [BY[name][1](dataflow), titleBy(name, dataflow)]));
  if (kept !== "" && !titles.has(kept)) {
    titles.set(kept, plainName(kept)); // the address names a value that does not exist (any more)
  }
  return [...titles].sort(([, a], [, b]) => collator.compare(a, b));
}

export function Filters({ exports, filter, onChange }) {
  return h(
    "search",
    { className: "aep-filters" },
    h(Search, { value: filter.q, onChange: (q) => onChange({ q }) }),
    Object.entries(BY).map(([name, [label]]) => {
      const choices = options(exports, name, filter[name]);
      // A single option is no choice.
      return choices.length < 2 && filter[name] === "" ? null : h(Choice, { key: name, label, value: filter[name], options: choices, onChange: (value) => onChange({ [name]: value }) });
    }),
    h(Choice, {
      label: "Outcome",
      value: filter.outcome,
      options: Object.entries(KEPT).map(([name, { title }]) => [name, title]),
      onChange: (outcome) => onChange({ outcome }),
    }),
    h(Choice, {
      label: "Group by",
      value: filter.group,
      none: "nothing",
      options: Object.entries(BY).map(([name, [label]]) => [name, label.toLowerCase()]),
      onChange: (group) => onChange({ group }),
    }),
  );
}

/** The letters appear at once; the address and the table follow when typing pauses. */
function Search({ value, onChange }) {
  const [text, setText] = useState(value);
  const [seen, setSeen] = useState(value);
  const sent = useRef(value);
  if (value !== seen) {
    setSeen(value);
    if (value !== sent.current) {
      sent.current = value;
      setText(value); // the address changed by other means, such as the back button
    }
  }
  useEffect(() => {
    if (text === sent.current) {
      return undefined;
    }
    const timer = setTimeout(() => {
      sent.current = text;
      onChange(text);
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [text, onChange]);
  return h(
    "label",
    { className: "aep-field aep-search" },
    h("span", null, "Filter"),
    h("input", {
      type: "search",
      value: text,
      placeholder: "name, dataset, id …",
      maxLength: 200,
      autoComplete: "off",
      spellCheck: false,
      onChange: (event) => setText(event.target.value),
    }),
  );
}

/** The number of exports for each outcome, and with bad ticks, as buttons that filter; none if there is a single export. */
export function Summary({ exports, chosen: rows, filter, onChange, single }) {
  const shown = rows.length;
  const counts = Object.entries(KEPT).map(([name, known]) => [name, known, exports.filter(known.passes).length]);
  const narrowed = shown !== exports.length;
  return h(
    "div",
    { className: "aep-summary" },
    h("strong", null, narrowed ? `${shown} of ${plural(exports.length, "export")}` : plural(exports.length, "export")),
    counts
      .filter(([, , number]) => number > 0 && !single)
      .map(([name, { sign, title, tone }, number]) =>
        h(
          "button",
          {
            key: name,
            type: "button",
            className: `aep-badge aep-badge-button aep-outcome-${tone}`,
            "aria-pressed": filter.outcome === name,
            onClick: () => onChange({ outcome: filter.outcome === name ? "" : name }),
          },
          h("span", { className: "aep-sign", "aria-hidden": true }, sign),
          `${number} ${title}`,
        ),
      ),
    h("button", { type: "button", className: "aep-small aep-end", onClick: () => saveCsv(rows), title: "The exports shown, as a file; times in UTC" }, "Download CSV"),
  );
}

/* The filters and the order of the exports: pure functions, and their controls. */

import { OUTCOMES, outcomeOf } from "./kinds.js";
import { saveCsv } from "./csv.js";
import { cadence, cadenceHours, plainName, plural } from "./words.js";

const { createElement: h, useEffect, useRef, useState } = globalThis.React;

const BY_DEFAULT = "state";
const TYPING_MS = 250;

/** What the list can be filtered by: an outcome, or bad ticks with any outcome. */
const KEPT = {
  ...Object.fromEntries(Object.entries(OUTCOMES).map(([name, known]) => [name, { ...known, passes: (one) => outcomeOf(one.outcome) === known }])),
  bad: { title: "with bad ticks", sign: "◔", tone: "none", passes: (one) => one.bad > 0 },
};

// What a table can be filtered and grouped by: the name in the address, the value of an export, and its title.
const BY = {
  conn: ["Connection", (one) => one.conn_id],
  sandbox: ["Sandbox", (one) => one.sandbox],
  owner: ["Owner", (one) => one.owner ?? NOBODY],
  destination: ["Destination", (one) => one.destination ?? "", (one) => one.destination_title ?? one.destination],
  every: ["Cadence", (one) => one.every ?? "", (one) => cadence(one.every)],
};
const NOBODY = "-"; // an export without an owner's mark

const titleBy = (name, one) => {
  const [, value, title = value] = BY[name];
  return value(one) === NOBODY ? "nobody" : plainName(title(one));
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
export const narrows = ({ q, outcome, group, ...rest }) => [q, outcome, group, ...Object.keys(BY).map((name) => rest[name])].some((each) => each !== "");

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

export const keyOf = (one) => `${one.conn_id}/${one.sandbox}/${one.id}`;

const datasetNames = (one) => (one.datasets ?? []).map(({ id, name }) => name ?? id).join(" ");

/** The sort key of a column; a missing time or number sorts last, except that exports without good data sort first. */
export const ORDERS = {
  name: (one) => one.name ?? "",
  datasets: datasetNames,
  destination: (one) => one.destination_title ?? one.destination ?? "",
  every: (one) => cadenceHours(one.every),
  next: (one) => Date.parse(one.next_tick ?? "") || Infinity,
  ends: (one) => one.days_left ?? Infinity,
  state: (one) => one.severity ?? Infinity,
  good: (one) => Date.parse(one.last_good_at ?? "") || 0,
  ticks: (one) => -(one.bad ?? 0),
};

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

function compare(one, other) {
  return typeof one === "number" ? (one === other ? 0 : one - other) : collator.compare(one, other);
}

/** The exports that pass the filter, in order; equals by name. */
export function chosen(exports, { q, outcome, sort, ...filter }) {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const found = exports.filter(
    (one) =>
      Object.entries(BY).every(([name, [, value]]) => (filter[name] ?? "") === "" || value(one) === filter[name]) &&
      (outcome === "" || KEPT[outcome].passes(one)) &&
      passes(one, words),
  );
  const downward = sort.startsWith("-");
  const order = ORDERS[downward ? sort.slice(1) : sort];
  return found
    .map((one) => [order(one), one])
    .sort(([a, one], [b, other]) => (downward ? compare(b, a) : compare(a, b)) || compare(ORDERS.name(one), ORDERS.name(other)))
    .map(([, one]) => one);
}

/** The exports in groups, in order: `[[title, exports], ...]`; one without a title if they are not grouped. */
export function grouped(exports, group) {
  if (group === "") {
    return [["", exports]];
  }
  const groups = new Map();
  for (const one of exports) {
    const title = titleBy(group, one);
    groups.set(title, [...(groups.get(title) ?? []), one]);
  }
  // In the order of the first export of each group.
  return [...groups].map(([title, found]) => [`${BY[group][0]}: ${title}`, found]);
}

function passes(one, words) {
  if (words.length === 0) {
    return true;
  }
  const ids = (one.datasets ?? []).map(({ id }) => id).join(" ");
  const text = `${one.name} ${one.id} ${one.conn_id} ${one.sandbox} ${one.owner} ${one.lands_in} ${one.destination_title} ${one.state} ${datasetNames(one)} ${ids}`;
  const told = [one.decided?.told, one.current?.told, ...(one.warnings ?? [])].filter(Boolean);
  const lower = `${text} ${told.join(" ")}`.toLowerCase();
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
  const found = new Map(exports.map((one) => [BY[name][1](one), titleBy(name, one)]));
  if (kept !== "" && !found.has(kept)) {
    found.set(kept, plainName(kept)); // the address names a value that does not exist (any more)
  }
  return [...found].sort(([, one], [, other]) => collator.compare(one, other));
}

export function Filters({ exports, filter, onChange }) {
  return h(
    "search",
    { className: "aep-filters" },
    h(Search, { value: filter.q, onChange: (q) => onChange({ q }) }),
    Object.entries(BY).map(([name, [label]]) => {
      const found = options(exports, name, filter[name]);
      // A single option is no choice.
      return found.length < 2 && filter[name] === "" ? null : h(Choice, { key: name, label, value: filter[name], options: found, onChange: (value) => onChange({ [name]: value }) });
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

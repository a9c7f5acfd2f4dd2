/* Which exports are shown, and in which order: pure functions, and the controls for them. */

import { OUTCOMES, outcomeOf } from "./kinds.js";
import { cadenceHours, plainName, plural } from "./words.js";

const { createElement: h, useEffect, useRef, useState } = globalThis.React;

const BY_DEFAULT = "state";
const TYPING_MS = 250;

/** What the list can be narrowed to: an outcome, or bad ticks whatever the outcome is now. */
const KEPT = {
  ...Object.fromEntries(Object.entries(OUTCOMES).map(([name, known]) => [name, { ...known, passes: (one) => outcomeOf(one.outcome) === known }])),
  bad: { title: "with bad ticks", sign: "◔", tone: "none", passes: (one) => one.bad > 0 },
};

/** What the address says: `{q, sandbox, destination, outcome, sort, opened}`, each a string. */
export function readAddress(params) {
  const read = (name) => params.get(name) ?? "";
  return {
    q: read("q"),
    sandbox: read("sandbox"),
    destination: read("destination"),
    outcome: Object.hasOwn(KEPT, read("outcome")) ? read("outcome") : "",
    sort: Object.hasOwn(ORDERS, read("sort").replace(/^-/, "")) ? read("sort") : BY_DEFAULT,
    opened: read("export"),
  };
}

/** The address with some of it changed; what is as by default is left out. */
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

/** By what a column sorts; a time or number that is not there comes last, and good data that never came first. */
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

/** Those that pass the filter, in order; equals by name. */
export function chosen(exports, { q, sandbox, destination, outcome, sort }) {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const found = exports.filter(
    (one) =>
      (sandbox === "" || one.sandbox === sandbox) &&
      (destination === "" || one.destination === destination) &&
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

function passes(one, words) {
  if (words.length === 0) {
    return true;
  }
  const ids = (one.datasets ?? []).map(({ id }) => id).join(" ");
  const text = `${one.name} ${one.id} ${one.conn_id} ${one.sandbox} ${one.destination_title} ${one.state} ${datasetNames(one)} ${ids}`;
  const told = [one.decided?.told, one.current?.told, ...(one.warnings ?? [])].filter(Boolean);
  const lower = `${text} ${told.join(" ")}`.toLowerCase();
  return words.every((word) => lower.includes(word));
}

function Choice({ label, value, options, onChange }) {
  return h(
    "label",
    { className: "aep-field" },
    h("span", null, label),
    h(
      "select",
      { value, onChange: (event) => onChange(event.target.value) },
      h("option", { value: "" }, "all"),
      options.map(([option, title]) => h("option", { key: option, value: option }, title)),
    ),
  );
}

function options(exports, value, title, kept) {
  const found = new Map(exports.map((one) => [one[value], plainName(one[title] ?? one[value])]));
  if (kept !== "" && !found.has(kept)) {
    found.set(kept, plainName(kept)); // the address names one that is not there (now)
  }
  return [...found].sort(([, one], [, other]) => collator.compare(one, other));
}

export function Filters({ exports, filter, onChange }) {
  return h(
    "search",
    { className: "aep-filters" },
    h(Search, { value: filter.q, onChange: (q) => onChange({ q }) }),
    h(Choice, {
      label: "Sandbox",
      value: filter.sandbox,
      options: options(exports, "sandbox", "sandbox", filter.sandbox),
      onChange: (sandbox) => onChange({ sandbox }),
    }),
    h(Choice, {
      label: "Destination",
      value: filter.destination,
      options: options(exports, "destination", "destination_title", filter.destination),
      onChange: (destination) => onChange({ destination }),
    }),
    h(Choice, {
      label: "Outcome",
      value: filter.outcome,
      options: Object.entries(KEPT).map(([name, { title }]) => [name, title]),
      onChange: (outcome) => onChange({ outcome }),
    }),
  );
}

/** The letters appear at once; the address, and with it the table, follow when the typing pauses. */
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

/** How many there are of each outcome, and with bad ticks; each is a button that shows only those. */
export function Summary({ exports, shown, filter, onChange }) {
  const counts = Object.entries(KEPT).map(([name, known]) => [name, known, exports.filter(known.passes).length]);
  const narrowed = shown !== exports.length;
  return h(
    "div",
    { className: "aep-summary" },
    h("strong", null, narrowed ? `${shown} of ${plural(exports.length, "export")}` : plural(exports.length, "export")),
    counts
      .filter(([, , number]) => number > 0)
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
  );
}

/* The state of an export: its badge, how many of its ticks were bad, why, and what is running now. */

import { Outcome, When } from "./parts.js";
import { sentence } from "./words.js";

const { createElement: h } = globalThis.React;

/** "now, 1 of the last 30 bad", read after the badge; empty if no tick except the last was bad. */
export function tellBad({ bad, outcome, ticks, decided }) {
  const isBad = decided && decided.kind !== "good";
  if (!bad || (bad === 1 && isBad)) {
    return "";
  }
  return `${outcome === "ok" ? "now, " : ""}${bad} of the last ${ticks.length} bad`;
}

/** The reason for the state: the outcome of the last tick, or a problem of the dataflow itself. */
export function tellWhy({ outcome, decided, warnings }) {
  // A run that is good does not explain a warning.
  const isGood = !decided || decided.kind === "good";
  return outcome !== "ok" && isGood && warnings?.length ? warnings[0] : (decided?.told ?? null);
}

/** How long the run of the last tick has been under way, beside the usual; null if none is. */
export function tellNow({ current }) {
  return current?.kind === "running" ? current.told : null;
}

/** The badge and the number of bad ticks, in one line. */
export function Badge({ dataflow }) {
  const bad = tellBad(dataflow);
  return h("span", { className: "aep-state" }, h(Outcome, { outcome: dataflow.outcome }), bad && h("span", { className: "aep-bad" }, ` ${bad}`));
}

/** The state as a cell of the table. */
export function StateCell({ dataflow }) {
  const [why, now] = [tellWhy(dataflow), tellNow(dataflow)];
  const all = [why, now, ...(dataflow.warnings ?? [])].filter(Boolean).map(sentence);
  // If the export is good, the run under way is more interesting than the last one.
  const shown = (dataflow.outcome === "ok" ? [now ?? why] : [why, now]).filter(Boolean);
  return h(
    "span",
    { title: [...new Set(all)].join("\n") || undefined },
    h(Badge, { dataflow }),
    (shown.length ? shown : ["no run has finished yet"]).map((text) => h("bdi", { key: text, className: "aep-clamp aep-told" }, sentence(text))),
  );
}

/** When records were last delivered, or "none" if no listed run delivered any. */
export function LastGood({ dataflow, now }) {
  if (dataflow.last_good_at) {
    return h(When, { at: dataflow.last_good_at, now });
  }
  const title = "no run listed here has delivered records";
  return h("span", { className: "aep-faint", title }, dataflow.ticks.length ? "none" : "–");
}

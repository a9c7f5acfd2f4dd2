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
export function Badge({ one }) {
  const bad = tellBad(one);
  return h("span", { className: "aep-state" }, h(Outcome, { outcome: one.outcome }), bad && h("span", { className: "aep-bad" }, ` ${bad}`));
}

/** The state as a cell of the table. */
export function StateCell({ one }) {
  const [why, now] = [tellWhy(one), tellNow(one)];
  const all = [why, now, ...(one.warnings ?? [])].filter(Boolean).map(sentence);
  // If the export is good, the run under way is more interesting than the last one.
  const shown = (one.outcome === "ok" ? [now ?? why] : [why, now]).filter(Boolean);
  return h(
    "span",
    { title: [...new Set(all)].join("\n") || undefined },
    h(Badge, { one }),
    (shown.length ? shown : ["no run has finished yet"]).map((told) => h("bdi", { key: told, className: "aep-clamp aep-told" }, sentence(told))),
  );
}

/** When records were last delivered, or "none" if no listed run delivered any. */
export function LastGood({ one, now }) {
  if (one.last_good_at) {
    return h(When, { at: one.last_good_at, now });
  }
  const title = "no run listed here has delivered records";
  return h("span", { className: "aep-faint", title }, one.ticks.length ? "none" : "–");
}

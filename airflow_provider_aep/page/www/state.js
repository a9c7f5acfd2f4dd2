/* What an export has come to: its badge, how many of its ticks were bad, why, and what goes on just now. */

import { Outcome, When } from "./parts.js";
import { sentence } from "./words.js";

const { createElement: h } = globalThis.React;

/** "now, 1 of the last 30 bad", to be read after the badge; empty where no tick was bad but the last. */
export function tellBad({ bad, outcome, ticks, decided }) {
  const isBad = decided && decided.kind !== "good";
  if (!bad || (bad === 1 && isBad)) {
    return "";
  }
  return `${outcome === "ok" ? "now, " : ""}${bad} of the last ${ticks.length} bad`;
}

/** Why it is as it is: what became of its last tick, or what is wrong with the dataflow itself. */
export function tellWhy({ outcome, decided, warnings }) {
  // A run that is good does not explain a warning.
  const isGood = !decided || decided.kind === "good";
  return outcome !== "ok" && isGood && warnings?.length ? warnings[0] : (decided?.told ?? null);
}

/** How long the run of the last tick has been under way, beside the usual; null where none is. */
export function tellNow({ current }) {
  return current?.kind === "running" ? current.told : null;
}

/** The badge and what belongs to it in one line. */
export function Badge({ one }) {
  const bad = tellBad(one);
  return h("span", { className: "aep-state" }, h(Outcome, { outcome: one.outcome }), bad && h("span", { className: "aep-bad" }, ` ${bad}`));
}

/** The cell of the table. */
export function StateCell({ one }) {
  const [why, now] = [tellWhy(one), tellNow(one)];
  const all = [why, now, ...(one.warnings ?? [])].filter(Boolean).map(sentence);
  // Where all is well, what goes on now is more than what the last run brought.
  const shown = (one.outcome === "ok" ? [now ?? why] : [why, now]).filter(Boolean);
  return h(
    "span",
    { title: [...new Set(all)].join("\n") || undefined },
    h(Badge, { one }),
    (shown.length ? shown : ["no run has finished yet"]).map((told) => h("bdi", { key: told, className: "aep-clamp aep-told" }, sentence(told))),
  );
}

/** When records were last delivered; without any in all that is shown, it says so. */
export function LastGood({ one, now }) {
  if (one.last_good_at) {
    return h(When, { at: one.last_good_at, now });
  }
  const title = "no run that is listed here has delivered records";
  return h("span", { className: "aep-faint", title }, one.ticks.length ? "none" : "–");
}

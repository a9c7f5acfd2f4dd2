/* The last ticks of an export: a bar for its records, a ground and a mark for what became of it.
 *
 * One path for each kind and not an element for each tick: a table shows thousands of ticks.
 */

import { KINDS, kindOf } from "./kinds.js";
import { count, plural, shortTime } from "./words.js";

const { createElement: h, memo, useState } = globalThis.React;

const SLOTS = 30;
const [STEP, BAR, HEIGHT] = [7, 5, 26];
const MARKS_AT = HEIGHT + 5;
const FULL = HEIGHT + 9;

/** "12 Nov 03:00: failed, 0 records". */
export function tellTick([at, kind, records]) {
  const told = records === null || records === undefined ? "" : `, ${plural(records, "record")}`;
  return `${shortTime(at)}: ${kindOf(kind).title}${told}`;
}

/** The ticks in one sentence: how many, and each that was not good, newest first. */
export function tellTicks(ticks) {
  if (ticks.length === 0) {
    return "No ticks yet";
  }
  const odd = ticks.filter(([, kind]) => kind !== "good").reverse();
  const good = ticks.length - odd.length;
  return [`Last ${plural(ticks.length, "tick")}, ${good} good`, ...odd.map(tellTick)].join("; ");
}

function shapes(ticks) {
  const most = Math.max(1, ...ticks.map(([, , records]) => records ?? 0));
  const first = SLOTS - ticks.length; // the newest stands at the right edge in every row
  const byKind = new Map();
  ticks.forEach(([, kind, records], index) => {
    const x = (first + index) * STEP;
    const found = byKind.get(kind) ?? { ground: "", bars: "", marks: "" };
    const height = records ? Math.max(1.5, (records / most) * HEIGHT) : 0;
    found.ground += `M${x} 0h${BAR}v${HEIGHT}h-${BAR}z`;
    if (height) {
      found.bars += `M${x} ${HEIGHT}v-${height.toFixed(1)}h${BAR}v${height.toFixed(1)}z`;
    }
    found.marks += `M${x + BAR / 2} ${MARKS_AT}${kindOf(kind).mark}`;
    byKind.set(kind, found);
  });
  return byKind;
}

export const Strip = memo(function Strip({ ticks, large = false }) {
  const [near, setNear] = useState(false);
  const first = SLOTS - ticks.length;
  return h(
    "svg",
    {
      className: large ? "aep-strip aep-strip-large" : "aep-strip",
      viewBox: `-1 0 ${SLOTS * STEP} ${FULL}`,
      role: "img",
      "aria-label": tellTicks(ticks),
      preserveAspectRatio: "xMaxYMid meet",
      onPointerEnter: () => setNear(true),
      onPointerLeave: () => setNear(false),
    },
    h("path", { className: "aep-floor", d: `M0 ${HEIGHT}H${SLOTS * STEP - 2}` }),
    [...shapes(ticks)].map(([kind, { ground, bars, marks }]) =>
      h(
        "g",
        { key: kind, className: `aep-${kindOf(kind).tone}` },
        kind === "good" ? null : h("path", { className: "aep-ground", d: ground }),
        h("path", { className: "aep-bar", d: bars }),
        h("path", { className: "aep-mark", d: marks }),
      ),
    ),
    // Titles for the pointer are made once it is there.
    near &&
      ticks.map((tick, index) =>
        h(
          "rect",
          { key: tick[0], className: "aep-touch", x: (first + index) * STEP - 1, y: 0, width: STEP, height: FULL },
          h("title", null, tellTick(tick)),
        ),
      ),
  );
});

/** The same ticks as a list, for those who do not see the strip or want to read it. */
export function TickList({ ticks }) {
  return h(
    "ol",
    { className: "aep-ticks", reversed: true },
    [...ticks].reverse().map(([at, kind, records]) =>
      h(
        "li",
        { key: at, className: `aep-${kindOf(kind).tone}` },
        h("span", null, shortTime(at)),
        h("span", { className: "aep-tick-kind" }, kindOf(kind).title),
        h("span", { className: "aep-number" }, count(records)),
      ),
    ),
  );
}

/** What the marks mean: those that occur, in the order of `KINDS`. */
export function Legend({ kinds, Kind }) {
  const order = Object.keys(KINDS);
  const sorted = [...kinds].sort((one, other) => order.indexOf(one) - order.indexOf(other));
  return h(
    "ul",
    { className: "aep-legend", "aria-label": "Legend" },
    sorted.map((kind) => h("li", { key: kind }, h(Kind, { kind }))),
    h("li", { className: "aep-faint" }, "height: records"),
  );
}

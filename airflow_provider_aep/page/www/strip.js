/* The last ticks of an export: a bar for the records of each, a background and a mark for its outcome.
 *
 * There is one path for each kind, not one element for each tick, as a table shows thousands of ticks.
 */

import { FIRST, KINDS, kindOf } from "./kinds.js";
import { count, plural, shortTime } from "./words.js";

const { createElement: h, memo, useState } = globalThis.React;

const SLOTS = 30;
const [STEP, BAR, HEIGHT] = [7, 5, 26];
const MARKS_AT = HEIGHT + 5;
const FULL = HEIGHT + 9;
const BREAK = 3;
const [FEW, OUTLIER] = [5, 3];

/** The shape of a bar. A bar that exceeds the scale has a gap, and ends at the top of the scale. */
export function bar({ x, width, floor, height, most, gap }) {
  const [left, right] = [x.toFixed(2), width.toFixed(2)];
  if (height <= most + 0.01) {
    return `M${left} ${floor}v-${height.toFixed(1)}h${right}v${height.toFixed(1)}z`;
  }
  const below = (most - gap) * 0.66;
  const from = (floor - most).toFixed(1);
  const above = most - below - gap;
  return `M${left} ${floor}v-${below.toFixed(1)}h${right}v${below.toFixed(1)}zM${left} ${from}h${right}v${above.toFixed(1)}h-${right}z`;
}

/** "12 Nov 03:00: failed, 0 records". */
export function tellTick([at, kind, records, isFirst]) {
  const amount = records === null || records === undefined ? "" : `, ${plural(records, "record")}`;
  return `${shortTime(at)}: ${kindOf(kind).title}${amount}${isFirst ? `, ${FIRST}` : ""}`;
}

/** The ticks in one sentence: their number, and each that was not good, newest first. */
export function tellTicks(ticks) {
  if (ticks.length === 0) {
    return "No ticks yet";
  }
  const odd = ticks.filter(([, kind]) => kind !== "good").reverse();
  const good = ticks.length - odd.length;
  return [`Last ${plural(ticks.length, "tick")}, ${good} good`, ...odd.map(tellTick)].join("; ");
}

/** The largest number, unless it is many times the next: then the next, so that it does not flatten the others. */
export function mostOf(numbers) {
  const [first = 0, second = 0] = [...numbers].sort((a, b) => b - a);
  return numbers.length >= FEW && first > OUTLIER * second && second > 0 ? second : first;
}

/** The scale of the bars: the most records of a tick, without the first, full export. */
export function scaleOf(ticks) {
  const measured = ticks.filter(([, , records, isFirst]) => records && !isFirst);
  return Math.max(1, mostOf((measured.length ? measured : ticks).map(([, , records]) => records ?? 0)));
}

function shapes(ticks) {
  const most = scaleOf(ticks);
  const first = SLOTS - ticks.length; // the newest tick is at the right edge in every row
  const byKind = new Map();
  ticks.forEach(([, kind, records], index) => {
    const x = (first + index) * STEP;
    const paths = byKind.get(kind) ?? { ground: "", bars: "", marks: "" };
    const height = records ? Math.max(1.5, (records / most) * HEIGHT) : 0;
    paths.ground += `M${x} 0h${BAR}v${HEIGHT}h-${BAR}z`;
    if (height) {
      paths.bars += bar({ x, width: BAR, floor: HEIGHT, height, most: HEIGHT, gap: BREAK });
    }
    paths.marks += `M${x + BAR / 2} ${MARKS_AT}${kindOf(kind).mark}`;
    byKind.set(kind, paths);
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
    // The titles are only rendered while the pointer is over the strip.
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

/** The same ticks as a list, for users who cannot see the strip or prefer to read. */
export function TickList({ ticks }) {
  return h(
    "ol",
    { className: "aep-ticks", reversed: true },
    [...ticks].reverse().map(([at, kind, records, isFirst]) =>
      h(
        "li",
        { key: at, className: `aep-${kindOf(kind).tone}` },
        h("span", null, shortTime(at)),
        h("span", { className: "aep-tick-kind" }, kindOf(kind).title, isFirst ? h("span", { className: "aep-faint" }, ` (${FIRST})`) : null),
        h("span", { className: "aep-number" }, count(records)),
      ),
    ),
  );
}

/** The meaning of the marks that occur, in the order of `KINDS`. */
export function Legend({ ticks, Kind }) {
  const order = Object.keys(KINDS);
  const sorted = [...new Set(ticks.map(([, kind]) => kind))].sort((a, b) => order.indexOf(a) - order.indexOf(b));
  return h(
    "ul",
    { className: "aep-legend", "aria-label": "Legend" },
    sorted.map((kind) => h("li", { key: kind }, h(Kind, { kind }))),
    h("li", { className: "aep-faint" }, "height: records; a broken bar is off the scale, such as a first, full export"),
  );
}

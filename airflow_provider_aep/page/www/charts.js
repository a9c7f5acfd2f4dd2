/* Records, bytes and duration of each run, in front of their usual range. Drawn as plain SVG shapes. */

import { FIRST, kindOf } from "./kinds.js";
import { bar, mostOf } from "./strip.js";
import { bytes, count, duration, plural, range, shortCount, shortTime } from "./words.js";

const { createElement: h } = globalThis.React;

const [WIDTH, HEIGHT] = [300, 90];
const WIDEST = 14;
const BREAK = 6; // the gap in a bar that exceeds the scale

const CHARTS = [
  ["records", "Records", count, shortCount],
  ["bytes", "Bytes", bytes, bytes],
  ["duration_seconds", "Duration", duration, duration],
];

export function Charts({ runs, usual, now }) {
  const inOrder = [...runs].reverse();
  return h(
    "div",
    { className: "aep-charts" },
    CHARTS.map(([measure, title, tell, tellShort]) =>
      h(Chart, { key: measure, title, runs: inOrder, value: (run) => run[measure], usual: usual?.[measure] ?? null, tell, tellShort, now }),
    ),
  );
}

function Chart({ title, runs, value, usual, tell, tellShort }) {
  const known = runs.filter((run) => typeof value(run) === "number");
  if (known.length === 0) {
    return h("figure", { className: "aep-chart" }, h("figcaption", null, title), h("p", { className: "aep-faint" }, "No finished run shows them yet."));
  }
  // The first, full export would flatten all others, so it sets the scale only if it is alone.
  const measured = known.filter((run) => !run.is_first);
  const top = Math.max(usual?.high ?? 0, mostOf((measured.length ? measured : known).map(value))) || 1;
  const y = (number) => HEIGHT - (Math.max(number, 0) / top) * (HEIGHT - 4);
  const step = WIDTH / runs.length;
  const width = Math.min(step * 0.75, WIDEST);
  const newest = known.at(-1);
  const phrases = [
    `${title} of ${plural(known.length, "run")}`,
    usual && `usually ${range(usual.low, usual.high, tell).replace(" – ", " to ")}`,
    `last: ${tell(value(newest))}, ${kindOf(newest.kind).title}`,
  ].filter(Boolean);
  return h(
    "figure",
    { className: "aep-chart" },
    h("figcaption", null, title, usual && h("span", { className: "aep-faint" }, `usually ${range(usual.low, usual.high, tellShort)}`)),
    h("div", { className: "aep-axis", "aria-hidden": true }, tellShort(top)),
    h(
      "div",
      { className: "aep-chart-area" },
      h(
        "svg",
        { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": phrases.join("; ") },
        usual && [
          h("rect", { key: "range", className: "aep-usual", x: 0, width: WIDTH, y: y(usual.high), height: Math.max(y(usual.low) - y(usual.high), 1) }),
          h("path", { key: "median", className: "aep-median", d: `M0 ${y(usual.median)}H${WIDTH}` }),
        ],
        h("path", { className: "aep-floor", d: `M0 ${HEIGHT - 0.5}H${WIDTH}` }),
        runs.map((run, index) => {
          const number = value(run);
          if (typeof number !== "number") {
            return null;
          }
          const height = Math.max(HEIGHT - y(number), number ? 1.5 : 0);
          return h(
            "g",
            { key: run.id, className: `aep-${kindOf(run.kind).tone}` },
            h("title", null, `${shortTime(run.started_at)}: ${tell(number)}, ${kindOf(run.kind).title}${run.is_first ? `, ${FIRST}` : ""}`),
            h("rect", { className: "aep-touch", x: index * step, width: step, y: 0, height: HEIGHT }),
            h("path", { className: "aep-bar", d: bar({ x: index * step + (step - width) / 2, width, floor: HEIGHT, height, most: HEIGHT - 4, gap: BREAK }) }),
          );
        }),
      ),
    ),
    h("div", { className: "aep-axis", "aria-hidden": true }, h("span", null, shortTime(runs[0].started_at)), h("span", null, shortTime(runs.at(-1).started_at))),
  );
}

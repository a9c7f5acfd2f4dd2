/* The story of one export: what came in above, what went out below, and what to do now.
 *
 * It is requested when it is opened, as it takes some requests to the service.
 */

import { useAnswer } from "./answers.js";
import { kindOf } from "./kinds.js";
import { Cell, Command, Empty, Kind, Notice, Waiting } from "./parts.js";
import { AnswerTrouble, SourceTrouble } from "./troubles.js";
import { count, fullTime, plainName, plural, sentence, shortTime } from "./words.js";

const { createElement: h, useState } = globalThis.React;

const SLOTS = 56; // of 3 hours each, in a week
const [STEP, BAR, HEIGHT, MIDDLE] = [12, 9, 48, 4];
const FIRST = 12;

/** @param wrong whether the export has a problem; its story is then open from the start. */
export function Story({ path, wrong, now }) {
  const [open, setOpen] = useState(wrong);
  return h(
    "section",
    { className: "aep-section" },
    h(
      "details",
      { className: "aep-details aep-story", open, onToggle: (event) => setOpen(event.currentTarget.open) },
      h("summary", null, h("h2", null, "What came in, what went out")),
      open && h(Asked, { path, now }),
    ),
  );
}

function Asked({ path, now }) {
  const { data, error, receivedAt } = useAnswer(`${path}/story`);
  if (!data?.story) {
    const trouble = data && data.source.state !== "loading" && h(SourceTrouble, { source: data.source });
    return trouble || h("div", null, h(AnswerTrouble, { error, receivedAt, now }), error === null && h(Waiting, null, "Loading the batches and runs of the last days …"));
  }
  return h(
    "div",
    null,
    h(AnswerTrouble, { error, receivedAt, now }),
    h(SourceTrouble, { source: data.source, sinceSeconds: Math.max(now - receivedAt, 0) / 1000 }),
    h(StoryText, { story: data.story }),
  );
}

function StoryText({ story }) {
  // A failure that later runs have made up for is no alarm.
  const tone = { fail: story.actions.length ? "fail" : "warn", warn: "warn" }[story.outcome] ?? "none";
  return h(
    "div",
    null,
    h(Notice, { tone }, h("bdi", null, sentence(story.summary))),
    h(Lanes, { story }),
    h("h3", null, "What to do now"),
    story.actions.length === 0 ? h("p", { className: "aep-faint" }, "Nothing.") : h(Actions, { actions: story.actions }),
    h("h3", null, "By time"),
    h(Rows, { rows: [...story.lanes].reverse() }),
    story.notes.length > 0 && [
      h("h3", { key: "head" }, "What is not known"),
      h("ul", { key: "notes", className: "aep-faint aep-notes" }, story.notes.map((note) => h("li", { key: note }, sentence(note)))),
    ],
  );
}

/** A successful batch has a kind of its own; all others share the kinds of runs. */
const kindOfBatch = (status) => (status === "success" ? "ingested" : status);

/** The events in each slot of the window: counts by kind, and the sum of their records. */
function slotsOf(events, { since, until }) {
  const [from, to] = [Date.parse(since), Date.parse(until)];
  const slots = new Map();
  for (const [at, status, records, isFirst] of events) {
    const kind = kindOfBatch(status);
    const place = Math.min(SLOTS - 1, Math.max(0, Math.floor(((Date.parse(at) - from) / (to - from)) * SLOTS)));
    const slot = slots.get(place) ?? { at, kinds: new Map(), records: 0, isFirst: false };
    slot.kinds.set(kind, (slot.kinds.get(kind) ?? 0) + 1);
    slot.records += records ?? 0;
    slot.isFirst ||= Boolean(isFirst);
    slots.set(place, slot);
  }
  return slots;
}

// The worst first: the worst kind in a slot decides its colour and mark.
const WORST = ["lost", "failed", "missing", "stuck", "incomplete", "empty", "partial", "low", "delayed", "doubled", "late", "slow", "unknown", "gone", "running", "under_way", "waiting"];
const FINE = new Set(["good", "ingested", "running", "under_way", "waiting"]);

const worstOf = (slot) => WORST.find((kind) => slot.kinds.has(kind)) ?? [...slot.kinds.keys()][0];

function tellSlot(slot) {
  const kinds = [...slot.kinds].map(([kind, number]) => `${number} ${kindOf(kind).title}`).join(", ");
  return `${shortTime(slot.at)}: ${kinds}, ${plural(slot.records, "record")}`;
}

function Lanes({ story }) {
  const [into, out] = [slotsOf(story.came_in, story.window), slotsOf(story.went_out, story.window)];
  const { totals } = story;
  const phrases = [
    `From ${fullTime(story.window.since)} to ${fullTime(story.window.until)}`,
    `${plural(totals.batches, "batch").replace("batchs", "batches")} came in${totals.batches_failed ? `, ${count(totals.batches_failed)} failed` : ""}`,
    `${plural(totals.runs, "run")} went out; ${count(totals.bad)} bad`,
  ];
  const numbers = (records) => (records === null ? "" : ` · ${plural(records, "record")}`);
  return h(
    "figure",
    { className: "aep-lanes" },
    h("figcaption", null, h("span", null, "Came in"), h("span", { className: "aep-faint" }, phrases[1].replace(" came in", ""), numbers(totals.records_in))),
    h(
      "svg",
      { viewBox: `0 0 ${SLOTS * STEP} ${2 * HEIGHT + MIDDLE}`, preserveAspectRatio: "none", role: "img", "aria-label": phrases.join("; ") },
      h(Lane, { slots: into, up: true }),
      h("path", { className: "aep-floor", d: `M0 ${HEIGHT + MIDDLE / 2}H${SLOTS * STEP}` }),
      h(Lane, { slots: out, up: false }),
    ),
    h("figcaption", null, h("span", null, "Went out"), h("span", { className: "aep-faint" }, `${plural(totals.runs, "run")}${totals.bad ? `, ${count(totals.bad)} bad` : ""}`, numbers(totals.records_out))),
    h("div", { className: "aep-axis", "aria-hidden": true }, h("span", null, shortTime(story.window.since)), h("span", null, shortTime(story.window.until))),
    h(Legend, { kinds: new Set([...into.values(), ...out.values()].flatMap((slot) => [...slot.kinds.keys()])) }),
  );
}

/** Bars that grow from the middle, in the colour of the worst kind of their slot. */
function Lane({ slots, up }) {
  // A first, full export would flatten the rest.
  const measured = [...slots.values()].filter((slot) => !slot.isFirst);
  const most = Math.max(1, ...(measured.length ? measured : [...slots.values()]).map((slot) => slot.records));
  const [floor, top] = up ? [HEIGHT, 0] : [HEIGHT + MIDDLE, 2 * HEIGHT + MIDDLE];
  return [...slots].map(([place, slot]) => {
    const kind = worstOf(slot);
    const { tone, mark } = kindOf(kind);
    const height = slot.records ? Math.max(2, Math.min(1, slot.records / most) * (HEIGHT - 2)) : 0;
    const x = place * STEP + (STEP - BAR) / 2;
    return h(
      "g",
      { key: place, className: `aep-${tone}` },
      h("title", null, tellSlot(slot)),
      FINE.has(kind) ? null : h("rect", { className: "aep-ground", x, width: BAR, y: Math.min(floor, top), height: HEIGHT }),
      h("rect", { className: "aep-bar", x, width: BAR, y: up ? floor - height : floor, height }),
      FINE.has(kind) ? null : h("path", { className: "aep-mark aep-lane-mark", d: `M${x + BAR / 2} ${up ? 7 : 2 * HEIGHT + MIDDLE - 7}${mark}` }),
      h("rect", { className: "aep-touch", x: place * STEP, width: STEP, y: Math.min(floor, top), height: HEIGHT }),
    );
  });
}

function Legend({ kinds }) {
  const odd = WORST.filter((kind) => kinds.has(kind) && !FINE.has(kind));
  return h(
    "ul",
    { className: "aep-legend", "aria-label": "Legend" },
    odd.map((kind) => h("li", { key: kind }, h(Kind, { kind }))),
    h("li", { className: "aep-faint" }, "height: records, each lane by its own scale"),
  );
}

const KIND_OF_STEP = { shell: "in a shell", ask: "as a message" };

function Actions({ actions }) {
  return h(
    "ol",
    { className: "aep-actions" },
    actions.map(({ why, command, kind }) =>
      h(
        "li",
        { key: command },
        h("p", null, h("bdi", null, sentence(why)), " ", h("span", { className: "aep-faint" }, KIND_OF_STEP[kind] ?? "")),
        h(Command, { text: command, what: plainName(why) }),
      ),
    ),
  );
}

const HEADS = ["Time", "Lane", "State", "What happened"];

/** The rows of both lanes, newest first. */
function Rows({ rows }) {
  const [all, setAll] = useState(false);
  const shown = all ? rows : rows.slice(0, FIRST);
  if (rows.length === 0) {
    return h(Empty, { title: "Nothing came in, and nothing went out" });
  }
  return h(
    "div",
    null,
    h(
      "table",
      { role: "table", className: "aep-table aep-cards aep-findings" },
      h("caption", { className: "aep-unseen" }, "What came in and what went out, newest first"),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, HEADS.map((head) => h("th", { key: head, role: "columnheader", scope: "col" }, head)))),
      h("tbody", { role: "rowgroup" }, shown.map((row, index) => h(Row, { key: index, row }))),
    ),
    shown.length < rows.length &&
      h("p", { className: "aep-more" }, h("button", { type: "button", className: "aep-button", onClick: () => setAll(true) }, `Show all ${rows.length} rows`)),
  );
}

function Row({ row }) {
  const when = row.since === row.at ? shortTime(row.at) : `${shortTime(row.since)} – ${shortTime(row.at)}`;
  return h(
    "tr",
    { role: "row" },
    h("th", { role: "rowheader", scope: "row", className: "aep-tight" }, h("time", { dateTime: row.at, title: fullTime(row.at) }, when)),
    h(Cell, { title: HEADS[1], className: "aep-tight" }, row.lane === "in" ? "↓ in" : "↑ out"),
    h(Cell, { title: HEADS[2], className: "aep-tight" }, h(Kind, { kind: kindOfBatch(row.status) })),
    h(
      Cell,
      { title: HEADS[3], className: "aep-found" },
      h("bdi", null, sentence(row.told)),
      row.notes.map((note) => h("div", { key: note, className: "aep-why" }, sentence(note))),
    ),
  );
}

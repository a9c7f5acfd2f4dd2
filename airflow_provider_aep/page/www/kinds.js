/* The kinds of ticks, runs and batches: title, colour (a class in aep.css), and a mark that shows the same without
 * colour. A mark is a relative SVG path that starts at the centre and stays within 3 units of it.
 */

export const KINDS = {
  good: { title: "good", tone: "good", mark: "" },
  empty: { title: "empty", tone: "empty", mark: "m-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0" },
  partial: { title: "partial", tone: "partial", mark: "m-2.5 2.5l5-5m-5 2.5l2.5-2.5m0 5l2.5-2.5" },
  low: { title: "fewer than usual", tone: "partial", mark: "m-2.5-1.5l2.5 3.5l2.5-3.5" },
  slow: { title: "slow", tone: "late", mark: "m-2.5 1c1-3.5 1.5-3 2.5-1s1.5 2.5 2.5-1" },
  late: { title: "late", tone: "late", mark: "m-1.5-2.5l3.5 2.5l-3.5 2.5" },
  doubled: { title: "doubled", tone: "late", mark: "m-2.5-1.5h5m-5 3h5" },
  failed: { title: "failed", tone: "failed", mark: "m-2.5-2.5l5 5m0-5l-5 5" },
  stuck: { title: "stuck", tone: "stuck", mark: "m-2.2-2.2h4.4v4.4h-4.4z" },
  incomplete: { title: "incomplete", tone: "incomplete", mark: "m-2-2.5v5h4" },
  missing: { title: "missing", tone: "missing", mark: "m0-2.8v3.4m0 1.6v.8" },
  running: { title: "running", tone: "running", mark: "m-2.5-2.5v5m2.5-5v5m2.5-5v5" },
  waiting: { title: "not due yet", tone: "none", mark: "m-2.5 0h.8m1.1 0h.8m1.1 0h.8" },
};

/** The kinds of batches; a failed batch has the mark of a failed run. */
export const BATCHES = {
  ingested: { title: "ingested", tone: "good", mark: "" },
  lost: { title: "lost", tone: "failed", mark: "m0-2.8v5.6m-2-2l2 2l2-2" },
  delayed: { title: "delayed", tone: "late", mark: "m-2.5-2.5l2.5 2.5l-2.5 2.5m2.5-5l2.5 2.5l-2.5 2.5" },
  under_way: { title: "under way", tone: "running", mark: "m-2.5-1.5h5m-5 3h3" },
  gone: { title: "taken back", tone: "empty", mark: "m-2.5 0h5" },
};
const ALL = { ...KINDS, ...BATCHES };
const UNKNOWN = { tone: "none", mark: "m-2 0h4" };

export const kindOf = (name) => (Object.hasOwn(ALL, name ?? "") ? ALL[name] : { ...UNKNOWN, title: String(name ?? "unknown") });

/** The usual reason for a bar that exceeds the scale. */
export const FIRST = "first, full export";

/** The outcomes of an export, worst first. */
export const OUTCOMES = {
  fail: { tone: "fail", title: "failing", sign: "✕" },
  warn: { tone: "warn", title: "warning", sign: "!" },
  skip: { tone: "skip", title: "skipped", sign: "–" },
  none: { tone: "none", title: "no verdict yet", sign: "…" },
  ok: { tone: "ok", title: "good", sign: "✓" },
};

export const outcomeOf = (name) => (Object.hasOwn(OUTCOMES, name ?? "") ? OUTCOMES[name] : OUTCOMES.none);

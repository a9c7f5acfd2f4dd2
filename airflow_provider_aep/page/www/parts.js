/* Small components that the page and the tab share. */

import { fullTime, plainName, relativeTime, safeAddress, shortTime } from "./words.js";
import { kindOf, outcomeOf } from "./kinds.js";

const { createElement: h, useRef, useState } = globalThis.React;

const LONG = 60; // a longer name may be clamped where it is shown

/** A name from the service: text with its own writing direction. */
export function Name({ children, title }) {
  const name = plainName(children);
  return h("bdi", { className: "aep-name", title: title ?? (name.length > LONG ? name : undefined) }, name);
}

/** @param number how many exports have this outcome, if it is a count */
export function Outcome({ outcome, detail, number }) {
  const { title, sign, tone } = outcomeOf(outcome);
  return h(
    "span",
    { className: `aep-badge aep-outcome-${tone}`, title: detail },
    h("span", { className: "aep-sign", "aria-hidden": true }, sign),
    number === undefined ? title : `${number} ${title}`,
  );
}

/** The mark of a kind in its colour, with its title beside it or only for screen readers. */
export function Kind({ kind, wordless = false }) {
  const { title, tone, mark } = kindOf(kind);
  return h(
    "span",
    { className: `aep-kind aep-${tone}` },
    h(
      "svg",
      { className: "aep-key", viewBox: "-5 -5 10 10", width: 14, height: 14, "aria-hidden": true },
      h("rect", { x: -5, y: -5, width: 10, height: 10, rx: 2, className: "aep-key-ground" }),
      mark === "" ? null : h("path", { d: `M0 0${mark}`, className: "aep-key-mark" }),
    ),
    h("span", wordless ? { className: "aep-unseen" } : null, title),
  );
}

/** A time relative to now, with the absolute time as its title; with `absolute`, the other way round. */
export function When({ at, now, absolute = false }) {
  if (!at) {
    return h("span", { className: "aep-faint" }, "–");
  }
  const [shown, title] = absolute
    ? [shortTime(at), `${fullTime(at)}, ${relativeTime(at, now)}`]
    : [relativeTime(at, now), fullTime(at)];
  return h("time", { dateTime: at, title }, shown);
}

/** A link out of Airflow; plain text if the address is not safe to follow. */
export function LinkOut({ to, children }) {
  const href = safeAddress(to);
  if (href === null) {
    return h("span", null, children);
  }
  return h(
    "a",
    { href, target: "_blank", rel: "noopener noreferrer", className: "aep-link" },
    children,
    h("span", { "aria-hidden": true }, " ↗"),
    h("span", { className: "aep-unseen" }, " (opens a new tab)"),
  );
}

/** A link within Airflow that does not reload it; `to` is relative to Airflow's address. */
export function LinkIn({ to, linkRef, children, ...rest }) {
  const { Link } = globalThis.ReactRouterDOM;
  const within = safeAddress(to);
  if (within === null || !within.startsWith(document.baseURI)) {
    return h("span", null, children);
  }
  return h(Link, { to: `/${within.slice(document.baseURI.length)}`, className: "aep-link", ref: linkRef, ...rest }, children);
}

/** A button that copies a text; if the browser forbids that, it selects the text instead. */
function Copy({ text, shown, label }) {
  const [message, setMessage] = useState("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setMessage("copied");
    } catch {
      getSelection().selectAllChildren(shown.current);
      setMessage("selected");
    }
    setTimeout(() => setMessage(""), 2000);
  };
  return [
    h("button", { key: "copy", type: "button", className: "aep-small", onClick: copy, "aria-label": label }, "Copy"),
    h("span", { key: "message", role: "status", className: "aep-faint" }, message),
  ];
}

/** An id that can be copied. */
export function Id({ id, what, label = `Copy the id of ${what}` }) {
  const text = useRef(null);
  return h("span", { className: "aep-id" }, h("code", { ref: text }, plainName(id)), h(Copy, { text: id, shown: text, label }));
}

/** A command, or a message, that can be copied. */
export function Command({ text, what }) {
  const shown = useRef(null);
  return h(
    "div",
    { className: "aep-command" },
    h("pre", { tabIndex: 0 }, h("code", { ref: shown }, text.split("\n").map(plainName).join("\n"))),
    h("div", null, h(Copy, { text, shown, label: `Copy: ${what}` })),
  );
}

export function Notice({ tone, children }) {
  const sign = { fail: "✕", warn: "!", none: "i" }[tone];
  return h(
    "div",
    { className: `aep-notice aep-notice-${tone}` },
    h("span", { className: "aep-sign", "aria-hidden": true }, sign),
    h("div", null, children),
  );
}

export function Waiting({ children }) {
  return h("div", { className: "aep-waiting", role: "status" }, h("span", { className: "aep-spinner", "aria-hidden": true }), children);
}

export function Empty({ title, children }) {
  return h("div", { className: "aep-blank" }, h("h2", null, title), h("p", null, children));
}

/** A cell of a table whose rows become cards on a narrow page, where its title is shown. */
export function Cell({ title, className, children }) {
  return h("td", { role: "cell", className }, h("span", { className: "aep-cell-title", "aria-hidden": true }, title), h("div", null, children));
}

/** How long until the schedule ends; the last seven days are highlighted. */
export function Ends({ dataflow }) {
  const { days_left: days, ends_at: at } = dataflow;
  if (days === null || days === undefined) {
    return h("span", { className: "aep-faint", title: "its schedule has no end" }, "no end");
  }
  const text = dataflow.ends_in ?? "ended";
  const soon = days <= 7;
  return h("span", { className: soon ? "aep-soon" : undefined, title: fullTime(at) }, soon ? `⚠ ${text}` : text);
}

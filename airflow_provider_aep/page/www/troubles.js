/* Why there is no data, or no new data: trouble with a connection, or with Airflow itself. */

import { Name, Notice } from "./parts.js";
import { age, plainName, plural, sentence } from "./words.js";

const { createElement: h } = globalThis.React;

const MOST = 2; // more troubles than this are folded, so that the table stays in view

const TROUBLE = {
  token_refused: "Adobe refused the login",
  sandbox_unknown: "There is no such sandbox",
  unreachable: "The service does not respond",
  refused: "The service refused the request",
  too_large: "The response is too large",
  misconfigured: "The Airflow connection cannot be used",
  broken: "The page could not read it",
};

const titleOf = (source) => TROUBLE[source.error?.kind] ?? "No new data";

/** "aep_default (prod)"; the sandbox of a connection that was never read is unknown. */
export const placeName = ({ conn_id, sandbox }) => (conn_id ? plainName(sandbox ? `${conn_id} (${sandbox})` : conn_id) : "the exports of your DAGs");

export const isTroubled = (source) => Boolean(source.error) || source.state === "stale" || source.state === "error";

/** What is wrong with a data source, and the age of its data. */
export function SourceTrouble({ source, sinceSeconds = 0 }) {
  return isTroubled(source) ? h(Notice, { tone: toneOf(source) }, h(TroubleText, { source, sinceSeconds })) : null;
}

const isUnknown = ({ age_seconds }) => age_seconds === null || age_seconds === undefined;
const toneOf = (source) => (isUnknown(source) ? "fail" : "warn");

function TroubleText({ source, sinceSeconds }) {
  const { conn_id, sandbox, error, age_seconds } = source;
  const shown = isUnknown(source) ? "Its exports have not been read yet." : `Its data are ${age(age_seconds + sinceSeconds)} old.`;
  return [
    h("strong", { key: "title" }, titleOf(source)),
    " – ",
    sandbox ? ["sandbox ", h(Name, { key: "sandbox" }, sandbox), " of "] : null,
    "connection ",
    h(Name, { key: "connection" }, conn_id),
    `. ${[sentence(error?.told ?? ""), sentence(error?.hint ?? ""), shown].map(ended).join(" ").trim()}`,
  ];
}

/** A sentence from the server, with a full stop. */
const ended = (text) => (text === "(no name)" ? "" : /[.!?…]$/.test(text) ? text : `${text}.`);

/** The troubles of several sources; many are folded into one line that can be opened. */
export function SourceTroubles({ sources, sinceSeconds }) {
  const troubled = sources.filter(isTroubled);
  const keyOf = (source) => `${source.conn_id}/${source.sandbox}`;
  if (troubled.length <= MOST) {
    return troubled.map((source) => h(SourceTrouble, { key: keyOf(source), source, sinceSeconds }));
  }
  return h(
    Notice,
    { tone: troubled.some((source) => toneOf(source) === "fail") ? "fail" : "warn" },
    h(
      "details",
      { className: "aep-details aep-troubles" },
      h("summary", null, h("strong", null, `Trouble with ${plural(troubled.length, "connection")}`), ` – ${[...new Set(troubled.map(titleOf))].join(", ")}`),
      h("ul", null, troubled.map((source) => h("li", { key: keyOf(source) }, h(TroubleText, { source, sinceSeconds })))),
    ),
  );
}

/** Why Airflow itself gave no new response, and how old the last one is. */
export function AnswerTrouble({ error, receivedAt, now }) {
  if (error === null) {
    return null;
  }
  const seconds = receivedAt === null ? null : (now - receivedAt) / 1000;
  return h(
    Notice,
    { tone: "fail" },
    h("strong", null, error.message),
    error.kind === "signed_out"
      ? h("a", { className: "aep-link aep-gap", href: signIn() }, "Sign in")
      : seconds === null
        ? null
        : ` The data are ${age(Math.max(seconds, 0))} old. The page tries again automatically.`,
  );
}

function signIn() {
  const { pathname, search } = globalThis.location;
  return `${new URL("api/v2/auth/login", document.baseURI).href}?next=${encodeURIComponent(pathname + search)}`;
}

/* Responses of the page's own API: requested again while the page is visible, kept if a request fails. */

const { useEffect, useState } = globalThis.React;

const EVERY_SECONDS = 30;
const WHILE_LOADING_SECONDS = 1;
const TOO_LONG_MS = 60000;

const kept = new Map(); // path -> the last good response, so that going back shows it at once

/** Why there is no (new) response, with a message for the user. */
class NoAnswer extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

const REFUSALS = {
  401: ["signed_out", "You are signed out of Airflow."],
  403: ["forbidden", "You may not see this. You need the right to see plugins and the connections of the exports."],
  404: ["not_found", "It does not exist, or no longer does."],
};

const early = new Map(); // path -> the response that was requested before anything is shown

/** Send the request while React still prepares the page; `useAnswer` takes the response from here. */
export function askEarly(path) {
  const answer = ask(path, new AbortController().signal);
  answer.catch(() => {}); // `useAnswer` reports the error
  early.set(path, answer);
}

async function ask(path, signal) {
  let response;
  try {
    response = await fetch(new URL(path, document.baseURI), {
      headers: { Accept: "application/json" },
      signal: AbortSignal.any([signal, AbortSignal.timeout(TOO_LONG_MS)]),
    });
  } catch (error) {
    throw error.name === "AbortError" ? error : new NoAnswer("unreachable", "Airflow does not respond.");
  }
  if (!response.ok) {
    throw new NoAnswer(...(REFUSALS[response.status] ?? ["broken", `Airflow responded with status ${response.status}.`]));
  }
  try {
    return await response.json();
  } catch {
    throw new NoAnswer("broken", "Airflow's response cannot be read.");
  }
}

function isLoading(data) {
  const sources = data.sources ?? (data.source ? [data.source] : []);
  return sources.some((source) => source.state === "loading");
}

/**
 * The response to a path below Airflow's address.
 *
 * @returns {{data, error, receivedAt}} `data` is the last good response or null; `error` says why the newest
 *   request failed; `receivedAt`, in milliseconds, is when `data` arrived.
 */
export function useAnswer(path) {
  const [state, setState] = useState({ path, error: null, ...kept.get(path) });
  const current = state.path === path ? state : { path, error: null, ...kept.get(path) };

  useEffect(() => {
    const ending = new AbortController();
    let timer = null;
    let asking = false;
    let dueAt = 0;

    const later = (seconds) => {
      dueAt = Date.now() + seconds * 1000;
      clearTimeout(timer);
      timer = setTimeout(look, seconds * 1000);
    };
    const look = async () => {
      if (asking || document.hidden) {
        return; // polled again when the page becomes visible
      }
      asking = true;
      let seconds = kept.get(path)?.data.refresh_seconds ?? EVERY_SECONDS;
      try {
        const sent = early.get(path) ?? ask(path, ending.signal);
        early.delete(path);
        const data = await sent;
        if (ending.signal.aborted) {
          return;
        }
        seconds = isLoading(data) ? WHILE_LOADING_SECONDS : (data.refresh_seconds ?? EVERY_SECONDS);
        kept.set(path, { data, receivedAt: Date.now() });
        setState({ path, error: null, ...kept.get(path) });
      } catch (error) {
        if (ending.signal.aborted) {
          return;
        }
        const failure = error instanceof NoAnswer ? error : new NoAnswer("broken", "The response cannot be shown.");
        if (failure.kind === "forbidden" || failure.kind === "signed_out") {
          kept.clear(); // it may hold what another user was allowed to see
        }
        setState({ path, error: failure, ...kept.get(path) });
      } finally {
        asking = false;
      }
      later(seconds);
    };
    const seen = () => {
      if (!document.hidden && Date.now() >= dueAt) {
        look();
      }
    };

    look();
    document.addEventListener("visibilitychange", seen);
    return () => {
      ending.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [path]);

  return { data: current.data ?? null, error: current.error, receivedAt: current.receivedAt ?? null };
}

/** The time in milliseconds, updated every few seconds, and when Airflow's time zone changes. */
export function useNow(seconds = 10) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const renew = () => setNow(Date.now());
    const timer = setInterval(renew, seconds * 1000);
    globalThis.addEventListener("local-storage", renew);
    return () => {
      clearInterval(timer);
      globalThis.removeEventListener("local-storage", renew);
    };
  }, [seconds]);
  return now;
}

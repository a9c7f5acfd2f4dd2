/* The page "AEP exports": the table, or the one export that the address names. */

import { useAnswer, useNow } from "./answers.js";
import { OneExport } from "./export.js";
import { Filters, Summary, changed, chosen, keyOf, narrows, readAddress } from "./filters.js";
import { Empty, LinkIn, Notice, Waiting } from "./parts.js";
import { ExportsTable } from "./table.js";
import { AnswerTrouble, SourceTroubles, isTroubled, placeName } from "./troubles.js";
import { Usage } from "./usage.js";
import { age, plainName, zoneName } from "./words.js";

const { createElement: h, useCallback, useEffect, useMemo, useRef, useState } = globalThis.React;

const HERE = "plugin/aep-exports";
const ANNOUNCED = 3; // for more changes at once, only their number is announced

/**
 * The query in the address, and functions to change it.
 *
 * A filter changes the address without the router: Airflow rebuilds its page when the router navigates, and a
 * user who sorts with the keyboard would lose the focus.
 */
function useAddress() {
  const { useLocation, useNavigate } = globalThis.ReactRouterDOM;
  const moved = useLocation().key;
  const navigate = useNavigate();
  const [address, setAddress] = useState(() => location.search.slice(1));
  useEffect(() => setAddress(location.search.slice(1)), [moved]);
  const change = useCallback((changes) => {
    const next = changed(new URLSearchParams(location.search), changes).toString();
    history.replaceState(history.state, "", next === "" ? location.pathname : `${location.pathname}?${next}`);
    setAddress(next);
  }, []);
  const close = useCallback(() => {
    const next = changed(new URLSearchParams(location.search), { export: "", run: "" });
    navigate(`/${HERE}?${next}`);
  }, [navigate]);
  return { address, change, close };
}

export function ExportsPage() {
  const { address, change, close } = useAddress();
  const filter = useMemo(() => readAddress(new URLSearchParams(address)), [address]);
  const left = useRef(""); // the last open export, until its row has the focus again
  const forget = useCallback(() => (left.current = ""), []);
  const addressOf = useCallback((key) => `${HERE}?${changed(new URLSearchParams(address), { export: key, run: "" })}`, [address]);

  useEffect(() => {
    if (filter.opened !== "") {
      left.current = filter.opened;
    }
  }, [filter.opened]);

  useEffect(() => {
    const before = document.title;
    document.title = "AEP exports - Airflow";
    return () => {
      document.title = before;
    };
  }, []);

  return h(
    "div",
    { className: "aep" },
    filter.opened === "" && filter.run !== ""
      ? h(FindRun, { run: filter.run, change })
      : filter.opened === ""
      ? h(AllExports, { filter, change, addressOf, focused: left.current, onFocused: forget })
      : h(OneExport, { key: filter.opened, opened: filter.opened, back: addressOf(""), onClose: close, run: filter.run, change }),
  );
}

/** The address names only a run: find its export, and open it. */
function FindRun({ run, change }) {
  const { data, error, receivedAt } = useAnswer(`aep/api/runs/${encodeURIComponent(run)}`);
  const now = useNow();
  useEffect(() => {
    if (data?.dataflow_id) {
      change({ export: `${data.conn_id}/${data.sandbox}/${data.dataflow_id}` });
    }
  }, [data, change]);
  if (error?.kind === "not_found") {
    return h(Empty, { title: "No such run" }, `None of the exports that you may see has a run ${plainName(run)}, or no longer has it. `, h(LinkIn, { to: HERE }, "Show all exports"));
  }
  return error === null ? h(Waiting, null, "Finding the export of this run …") : h(AnswerTrouble, { error, receivedAt, now });
}

function AllExports({ filter, change, ...rest }) {
  const { data, error, receivedAt } = useAnswer("aep/api/exports");
  const now = useNow();
  const exports = data?.exports;
  const shown = useMemo(() => (exports ? chosen(exports, filter) : []), [exports, filter]);
  return h(
    "div",
    null,
    h(
      "header",
      { className: "aep-head" },
      h("h1", null, "AEP exports"),
      data && h(Updated, { sources: data.sources, receivedAt, now }),
    ),
    h(Announcer, { exports, shown, filter }),
    h(AnswerTrouble, { error, receivedAt, now }),
    data === null ? error === null && h(Waiting, null, "Loading the exports and their runs …") : h(Answer, { data, shown, filter, change, now, receivedAt, ...rest }),
  );
}

/** The age of the oldest data of sources without trouble. */
function Updated({ sources, receivedAt, now }) {
  const ages = sources.filter((source) => source.state === "ok").map((source) => source.age_seconds ?? 0);
  const updated = ages.length ? `updated ${age(Math.max(...ages) + Math.max(now - receivedAt, 0) / 1000)} ago, ` : "";
  return h("span", { className: "aep-faint" }, `${updated}times in ${zoneName(now)}`);
}

function Answer({ data, shown, filter, change, now, receivedAt, ...rest }) {
  const { sources, exports } = data;
  const loading = sources.filter((source) => source.state === "loading");
  const single = exports.length === 1 && !narrows(filter); // nothing to filter, sort or group
  const sortBy = useCallback((sort) => change({ sort }), [change]);
  if (sources.length === 0) {
    return h(Empty, { title: "No connection to Adobe Experience Platform" }, "There is no Airflow connection of type “aep”, or none that you may see. The exports of such a connection appear here.");
  }
  return h(
    "div",
    null,
    sources.some((source) => source.limited) &&
      h(Notice, { tone: "none" }, "For connections that you may not read, you see only the exports that your DAGs create or wait for."),
    h(SourceTroubles, { sources, sinceSeconds: Math.max(now - receivedAt, 0) / 1000 }),
    loading.length > 0 && h(Waiting, null, `Loading ${loading.map(placeName).join(", ")} …`),
    exports.length === 0
      ? !sources.some(isTroubled) && loading.length === 0 && h(NoExports, { sources })
      : [
          !single && h(Filters, { key: "filters", exports, filter, onChange: change }),
          h(Summary, { key: "summary", exports, chosen: shown, filter, onChange: change, single }),
          shown.length === 0
            ? h(Empty, { key: "none", title: "No export matches" }, h(LinkIn, { to: HERE }, "Show all exports"))
            : h(ExportsTable, { key: "table", exports: shown, sort: filter.sort, group: filter.group, now, onSort: sortBy, single, ...rest }),
          // A viewer who may read no connection gets no sums.
          !sources.every((source) => source.limited) && h(Usage, { key: "usage", now }),
        ],
  );
}

function NoExports({ sources }) {
  const where = sources.map(placeName).join(", ");
  return h(Empty, { title: "No exports yet" }, `There is no export dataflow in ${where}. A new one, from a DAG or the Platform UI, appears here automatically.`);
}

/** Tells a screen reader what changed: how many exports pass a new filter, and which began or stopped failing. */
function Announcer({ exports, shown, filter }) {
  const [message, setMessage] = useState("");
  const before = useRef({ outcomes: null, filter });
  useEffect(() => {
    if (exports === undefined) {
      return;
    }
    const outcomes = new Map(exports.map((dataflow) => [keyOf(dataflow), dataflow.outcome]));
    const { outcomes: old, filter: oldFilter } = before.current;
    before.current = { outcomes, filter };
    const turned = old === null ? [] : exports.filter((dataflow) => old.has(keyOf(dataflow)) && (old.get(keyOf(dataflow)) === "fail") !== (dataflow.outcome === "fail"));
    if (turned.length > ANNOUNCED) {
      setMessage(`${turned.length} exports began or stopped failing`);
    } else if (turned.length > 0) {
      setMessage(turned.map((dataflow) => `${plainName(dataflow.name)} ${dataflow.outcome === "fail" ? "fails" : "no longer fails"}`).join("; "));
    } else if (filter !== oldFilter) {
      setMessage(`${shown.length} of ${exports.length} exports shown`);
    }
  }, [exports, shown, filter]);
  return h("div", { role: "status", className: "aep-unseen" }, message);
}

/* The table of all exports. On a narrow page its rows become cards (aep.css), but it keeps the roles of a table. */

import { Cell, Ends, Kind, LinkIn, Name, When } from "./parts.js";
import { grouped, keyOf } from "./filters.js";
import { LastGood, StateCell } from "./state.js";
import { Legend, Strip } from "./strip.js";
import { cadence, plainName, plural } from "./words.js";

const { createElement: h, memo, useEffect, useRef, useState } = globalThis.React;

const PAGE = 50;

const COLUMNS = [
  ["name", "Export"],
  ["state", "State"],
  ["good", "Last good data"],
  ["ticks", "Last 30 ticks"],
  ["datasets", "Datasets"],
  ["destination", "Destination"],
  ["every", "Cadence"],
  ["next", "Next tick"],
  ["ends", "Ends in"],
];

export function ExportsTable({ exports, sort, group, now, addressOf, onSort, single, focused, onFocused }) {
  const [length, setLength] = useState(PAGE);
  const reach = Math.max(length, exports.findIndex((dataflow) => keyOf(dataflow) === focused) + 1);
  const rows = exports.slice(0, reach);
  const several = new Set(exports.map((dataflow) => dataflow.conn_id)).size > 1;
  const ticks = rows.flatMap((dataflow) => dataflow.ticks);
  return h(
    "div",
    null,
    h(Legend, { ticks, Kind }),
    h(
      "div",
      { className: "aep-scroll" },
      h(
        "table",
        { role: "table", className: `aep-table aep-cards aep-exports${single ? " aep-single" : ""}` },
        h("caption", { className: "aep-unseen" }, "Export dataflows"),
        h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, COLUMNS.map(([name, title]) => h(Head, { key: name, name, title, sort, onSort: single ? null : onSort })))),
        grouped(rows, group).map(([title, members]) =>
          h(
            "tbody",
            { key: title, role: "rowgroup" },
            title && h(GroupHead, { title, members: exports.length > rows.length ? null : members }),
            members.map((dataflow) => {
              const key = keyOf(dataflow);
              return h(Row, { key, dataflow, now, several, to: addressOf(key), focused: key === focused, onFocused });
            }),
          ),
        ),
      ),
    ),
    reach < exports.length &&
      h(
        "p",
        { className: "aep-more" },
        h("button", { type: "button", className: "aep-button", onClick: () => setLength(reach + PAGE) }, `Show ${Math.min(PAGE, exports.length - reach)} more`),
        h("button", { type: "button", className: "aep-button", onClick: () => setLength(exports.length) }, `Show all ${exports.length}`),
      ),
  );
}

/** @param onSort null if there is nothing to sort */
function Head({ name, title, sort, onSort }) {
  if (onSort === null) {
    return h("th", { role: "columnheader", scope: "col" }, title);
  }
  const direction = sort === name ? "ascending" : sort === `-${name}` ? "descending" : undefined;
  const sign = { ascending: "▲", descending: "▼" }[direction] ?? "↕";
  return h(
    "th",
    { role: "columnheader", scope: "col", "aria-sort": direction },
    h(
      "button",
      { type: "button", className: "aep-sort", onClick: () => onSort(direction === "ascending" ? `-${name}` : name) },
      title,
      h("span", { className: "aep-sort-sign", "aria-hidden": true }, sign),
    ),
  );
}

/** @param members the exports of the group; null if some are not shown yet */
function GroupHead({ title, members }) {
  const failing = members?.filter((dataflow) => dataflow.outcome === "fail").length;
  const summary = members && ` · ${plural(members.length, "export")}${failing ? `, ${failing} failing` : ""}`;
  return h("tr", { role: "row", className: "aep-group" }, h("th", { role: "rowheader", scope: "rowgroup", colSpan: COLUMNS.length }, h("bdi", null, title), h("span", { className: "aep-faint" }, summary)));
}

const Row = memo(function Row({ dataflow, now, several, to, focused, onFocused }) {
  const link = useRef(null);
  useEffect(() => {
    if (focused) {
      link.current?.focus();
      onFocused();
    }
  }, [focused, onFocused]);
  const datasets = dataflow.datasets ?? [];
  const names = datasets.map(({ id, name }) => plainName(name ?? id));
  return h(
    "tr",
    { role: "row", className: dataflow.state === "disabled" ? "aep-off" : undefined },
    h(
      "th",
      { role: "rowheader", scope: "row" },
      h(LinkIn, { to, linkRef: link, className: "aep-link aep-clamp" }, h(Name, { title: plainName(dataflow.name) }, dataflow.name)),
      h("div", { className: "aep-faint aep-clamp" }, several ? [h(Name, { key: 0 }, dataflow.conn_id), " · "] : null, h(Name, null, dataflow.sandbox)),
    ),
    h(Cell, { title: "State", className: "aep-verdict" }, h(StateCell, { dataflow })),
    h(Cell, { title: "Last good data" }, h(LastGood, { dataflow, now })),
    h(Cell, { title: "Last ticks", className: "aep-strip-cell" }, h(Strip, { ticks: dataflow.ticks })),
    h(
      Cell,
      { title: "Datasets", className: "aep-datasets aep-third" },
      h("span", { className: "aep-clamp", title: names.join("\n") }, h("bdi", null, names[0] ?? "–"), names.length > 1 ? ` +${names.length - 1}` : null),
    ),
    h(Cell, { title: "Destination", className: "aep-third" }, dataflow.destination_title ?? dataflow.destination ?? "–"),
    h(Cell, { title: "Cadence", className: "aep-tight" }, cadence(dataflow.every)),
    h(Cell, { title: "Next tick", className: "aep-tight" }, dataflow.state === "enabled" ? h(When, { at: dataflow.next_tick, now }) : dataflow.state),
    h(Cell, { title: "Ends in", className: "aep-tight" }, h(Ends, { dataflow })),
  );
});

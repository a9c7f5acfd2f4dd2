"""``aep list``: the dataset exports of a sandbox."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from airflow_provider_aep.cli.output import Output, counted
from airflow_provider_aep.exports.marks import read_mark
from airflow_provider_aep.flowservice.dataflows import list_dataflows
from airflow_provider_aep.flowservice.schedule import schedule_words
from airflow_provider_aep.monitoring.selection import Selection

if TYPE_CHECKING:
    from airflow_provider_aep.hooks import AepHook

COLUMNS = ("export", "owner", "state", "destination", "every", "ends (UTC)", "id")


def list_exports(arguments: Namespace, hook: AepHook, output: Output) -> int:
    """List the selected exports, sorted by name."""
    selection = Selection.of(arguments.name, arguments.destination, arguments.owner)
    flows = hook.run(list_dataflows())
    selection.check(flows)
    chosen = sorted(filter(selection.holds, flows), key=lambda flow: (flow.name.casefold(), flow.id))
    rows = []
    for flow in chosen:
        mark, words = read_mark(flow.raw), schedule_words(flow.schedule)
        rows.append(
            {
                **flow.to_json(),
                "owner": mark.owner if mark else None,
                "every": words["every"],
                "end": words["end"],
            }
        )
    output.document({"sandbox": hook.sandbox, "exports": rows})
    output.line(f"{counted(len(chosen), 'export')} in sandbox {hook.sandbox}")
    if rows:
        keys = ("name", "owner", "state", "destination", "every", "end", "id")
        output.table(
            COLUMNS, [[row[key] or "-" for key in keys] for row in rows], word=COLUMNS.index("state")
        )
    return 0

"""The demo's declared path: an export as a document, planned, ensured, changed, and changed behind its back.

It uses the command line as a user would, in the environment of the demo's Airflow.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from airflow_provider_aep.flowservice.dataflows import list_dataflows, set_dataflow_state, update_schedule
from tools.stack import AirflowStack

NAME = "orders-hourly"
SPEC = """\
name: orders-hourly
owner: demo
datasets:
  - name: {dataset}
destination:
  type: s3
  credentials_conn_id: aep_s3
  params: {{bucketName: acme-exports, path: aep/orders, datasetFileType: PARQUET}}
schedule: {{every: {every}, start: 2098-01-01T00:00:00Z, end: 2099-01-01T00:00:00Z}}
"""


class Teller(Protocol):
    """What prints, and keeps count of what was not as expected."""

    def say(self, text: str) -> None: ...
    def expect(self, what: str, met: bool) -> None: ...


def declare(airflow: AirflowStack, platform: Any, folder: Path, dataset: str, report: Teller) -> None:
    """Show a spec's life.

    :param platform: carries out an exchange with ``run``, as somebody who knows nothing of specs.
    :param folder: where to write the spec.
    """
    file = folder / "orders.yaml"

    def aep(command: str, *options: str) -> tuple[int, str]:
        print(f"\n  $ aep {' '.join((command, *options))} {file.name}")
        done = airflow.shell("-m", "airflow_provider_aep.cli", command, *options, str(file))
        said = done.stdout + done.stderr
        print("".join(f"  {line}\n" for line in said.splitlines()), end="", flush=True)
        return done.returncode, said

    def write(every: str) -> None:
        file.write_text(SPEC.format(dataset=dataset, every=every))

    report.say("The declared way: a spec in a file, and the command line")
    write("3h")
    print("".join(f"  {line}\n" for line in file.read_text().splitlines()), end="")
    code, said = aep("plan")
    report.expect("the plan would create four entities, and says so with exit code 2", code == 2)
    code, _ = aep("ensure")
    report.expect("it is ensured", code == 0)
    code, said = aep("ensure")
    report.expect("ensured again, nothing changes", code == 0 and "no changes" in said)

    write("6h")
    code, said = aep("plan")
    report.expect("a changed field is a difference", code == 2 and "3h -> 6h" in said)
    code, _ = aep("ensure")
    report.expect("it is updated", code == 0)

    report.say("Somebody changes it in the Platform UI, and switches it off")
    (flow,) = [each for each in platform.run(list_dataflows()) if each.name == NAME]
    platform.run(update_schedule(flow.id, "12h", now=datetime.now(tz=UTC)))
    platform.run(set_dataflow_state(flow.id, "disabled"))
    code, said = aep("plan")
    report.expect(
        "the drift is reported",
        code == 2 and "12h -> 6h" in said and "changed by someone else" in said and "disabled" in said,
    )
    code, _ = aep("ensure")
    code, said = aep("plan")
    report.expect("what the spec says is so again", code == 0)
    code, _ = aep("delete", "--with-base", "--yes")
    names = [each.name for each in platform.run(list_dataflows())]
    report.expect("deleted with all that was made for it", code == 0 and NAME not in names)

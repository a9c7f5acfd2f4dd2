"""The demo: a dataset export, from nothing to delivered files and raised alerts, in a real Airflow.

``python -m tools.demo`` starts the emulator and Airflow, declares an export and lets it drift, runs three of
the example DAGs, compares what Airflow says with what lies on disk, and exits with 0 only if all of it is as
expected. ``--keep`` leaves it open.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from airflow_provider_aep.emulator.readback import ExportFolder, read_exports
from airflow_provider_aep.emulator.service import Emulator
from airflow_provider_aep.flowservice.dataflows import set_dataflow_state
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.flowservice.runs import list_runs
from airflow_provider_aep.flowservice.session import AepCredentials, AepSession
from airflow_provider_aep.flowservice.transport import RequestsTransport
from airflow_provider_aep.monitoring.policy import RunPolicy
from airflow_provider_aep.monitoring.verdict import judge_runs
from tools.declared import declare
from tools.emulator_process import EmulatorProcess
from tools.environment import CHECKOUT
from tools.stack import AirflowStack

T = TypeVar("T")

PROVISION, MONITOR, CHECK = "aep_provision_s3", "aep_monitor_each_export", "aep_check_exports"
HOUR_SECONDS = 2.0
STEPS = (
    "create_source_connection",
    "create_base_connection",
    "create_target_connection",
    "create_dataflow",
)
# What the monitoring DAG is made to see, the verdict it must reach, and the alert it must raise.
SCENES = (
    ("an incremental run", None, "success", None),
    ("a run that exports nothing", "zero", "zero_records", "is EMPTY"),
    ("a run that fails", "failed", "failed", "FAILED"),
)
ALERT = "AEP export "


@dataclass
class Report:
    """What is printed, and whether all of it was as expected."""

    started: float = field(default_factory=time.monotonic)
    wrong: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        print(f"[{time.monotonic() - self.started:5.1f} s] {text}", flush=True)

    def title(self, text: str) -> None:
        print(f"\n{text}\n{'─' * len(text)}", flush=True)

    def table(self, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        lines = [tuple(head), *(tuple(map(str, row)) for row in rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
        for line in lines:
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            print(f"  {'  '.join(cells)}".rstrip())

    def expect(self, what: str, met: bool) -> None:
        print(f"  {'ok   ' if met else 'WRONG'}  {what}", flush=True)
        if not met:
            self.wrong.append(what)


class Platform:
    """The emulated Experience Platform, seen through the provider's own client."""

    def __init__(self, url: str) -> None:
        # The emulator's credential is published: it opens nothing but the emulator.
        published = Emulator()
        self.url = url
        self._transport = RequestsTransport(url)
        self._session = AepSession(
            AepCredentials(
                client_id=published.client_id,
                client_secret=published.client_secret,
                org_id=published.org_id,
                token_url=f"{url}/ims/token/v3",
            )
        )
        self.connection = {
            "connection_id": "aep_default",
            "conn_type": "aep",
            "host": url,
            "login": published.client_id,
            "password": published.client_secret,
            "extra": json.dumps({"org_id": published.org_id, "token_url": f"{url}/ims/token/v3"}),
        }

    def run(self, exchange: Exchange[T]) -> T:
        return drive(self._session.conduct(exchange, sandbox="prod"), self._transport)

    def script_next_run(self, dataflow_id: str, kind: str) -> None:
        request = urllib.request.Request(
            f"{self.url}/emulator/script_runs",
            data=json.dumps({"flow": dataflow_id, "kinds": [kind]}).encode(),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        urllib.request.urlopen(request, timeout=10).close()


S3_CONNECTION = {
    "connection_id": "aep_s3",
    "conn_type": "aws",
    "login": "AKIAEXAMPLE234567ABC",
    "password": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",  # AWS's own documentation key
}


def demonstrate(airflow: AirflowStack, platform: Platform, exports: Path, report: Report) -> None:
    report.say("Adding the connections aep_default and aep_s3")
    for connection in (platform.connection, S3_CONNECTION):
        airflow.api.call("POST", "/connections", connection)

    with tempfile.TemporaryDirectory(prefix="aep-specs-") as folder:
        declare(airflow, platform, Path(folder), "Store Orders", report)

    report.say(f"Running {PROVISION}: one operator for each step, then the wait for the first, full export")
    run_id = airflow.api.trigger(PROVISION, {"end": "2099-01-01T00:00:00Z"})
    state = airflow.api.wait_for_run(PROVISION, run_id, on_change=_progress(report))
    made = {step: airflow.api.xcoms(PROVISION, run_id, step).get("return_value") for step in STEPS}
    first = airflow.api.xcoms(PROVISION, run_id, "wait_for_first_run").get("return_value") or {}

    report.title("What exists in Experience Platform now")
    report.table(("entity", "id"), ((step.removeprefix("create_"), made[step]) for step in STEPS))
    link = airflow.api.extra_links(PROVISION, run_id, "create_dataflow").get("AEP dataflow")
    print(f"  link in Airflow's UI: {link}")
    report.expect(f"{PROVISION} succeeded", state == "success")
    report.expect("every step returned an id", all(made.values()))
    report.expect("the first run exported all records", (first.get("records_out") or 0) > 0)
    if report.wrong:
        return

    dataflow_id, began = str(made["create_dataflow"]), datetime.now(tz=UTC)
    alerts: list[str] = []
    for told, kind, status, alert in SCENES:
        report.say(f"Running {MONITOR}: it waits for {told}")
        if kind:
            platform.script_next_run(dataflow_id, kind)
        verdict, raised = _monitor(airflow, report)
        alerts += raised
        report.expect(f"verdict {status}: {verdict.get('reason')}", verdict.get("status") == status)
        report.expect(
            f"alert: {alert}" if alert else "no alert",
            [alert in text for text in raised] == [True] if alert else not raised,
        )

    alerts += _check(airflow, began, report)

    # Nothing may move while what is said is compared with what is there.
    platform.run(set_dataflow_state(dataflow_id, "disabled"))
    runs = sorted(platform.run(list_runs(dataflow_id)), key=lambda run: str(run.started_at))
    _show_runs(runs, report)
    _show_files(runs, read_exports(exports), exports, report)
    report.title("Alerts that were raised")
    for text in alerts:
        print(f"  {text}")


def _monitor(airflow: AirflowStack, report: Report) -> tuple[dict[str, Any], list[str]]:
    """One run of the monitoring DAG: the verdict of its one mapped task, and the alerts in its log."""
    run_id = airflow.api.trigger(MONITOR, {"since": datetime.now(tz=UTC).isoformat()})
    airflow.api.wait_for_run(MONITOR, run_id, on_change=_progress(report))
    verdict = airflow.api.xcoms(MONITOR, run_id, "judge_runs", map_index=0).get("aep_verdict") or {}
    log = airflow.api.log_text(MONITOR, run_id, "judge_runs", map_index=0)
    return verdict, _alerts_in(log)


def _check(airflow: AirflowStack, since: datetime, report: Report) -> list[str]:
    """One run of the checking DAG over all that the monitoring DAG saw; the alerts in its log."""
    report.say(f"Running {CHECK}: one task looks at all exports, and at all that happened meanwhile")
    run_id = airflow.api.trigger(CHECK, {"since": since.isoformat()})
    state = airflow.api.wait_for_run(CHECK, run_id, on_change=_progress(report))
    found = airflow.api.xcoms(CHECK, run_id, "check").get("aep_check") or {}
    findings = [
        (export["dataflow_name"], each["kind"], each["outcome"], each["told"])
        for export in found.get("exports") or ()
        for each in export["findings"]
    ]
    report.table(("export", "finding", "outcome", "what became known"), findings)
    raised = _alerts_in(airflow.api.log_text(CHECK, run_id, "check"))
    minded = [kind for _, kind, outcome, _ in findings if outcome in ("fail", "warn")]
    report.expect(
        "the failed run fails the check; its policy minds three empty runs in a row, not one",
        state == "failed" and minded == ["failed"],
    )
    report.expect("alert: failed", any("failed" in text for text in raised))
    return raised


def _alerts_in(log: str) -> list[str]:
    return [ALERT + line.partition(ALERT)[2] for line in log.splitlines() if ALERT in line]


def _show_runs(runs: Sequence[DataflowRun], report: Report) -> None:
    report.title("Dataflow runs, as the run policy judges them")
    verdicts = [judge_runs([run], RunPolicy()) for run in runs]
    report.table(
        ("started (UTC)", "verdict", "records", "files", "reason"),
        (
            (
                f"{run.started_at:%H:%M:%S}",
                f"{verdict.status} -> {verdict.outcome}",
                "?" if run.records_out is None else run.records_out,
                "?" if run.files_out is None else run.files_out,
                verdict.reason.replace(run.id, run.id[:8]),
            )
            for run, verdict in zip(runs, verdicts, strict=True)
        ),
    )


def _show_files(
    runs: Sequence[DataflowRun], found: Sequence[ExportFolder], root: Path, report: Report
) -> None:
    report.title(f"Files on disk, rows read back from them (below {root}, until the demo ends)")
    folders = sorted(found, key=lambda folder: str(folder.export_time))
    report.table(
        ("folder", "files", "bytes", "rows"),
        ((folder.path.relative_to(root), folder.files, folder.bytes, folder.rows) for folder in folders),
    )
    claimed = [run.records_out for run in runs if run.records_out]
    report.expect(
        "each run's record count equals the rows in its files",
        claimed == [folder.rows for folder in folders],
    )


def _progress(report: Report) -> Callable[[str, str | None], None]:
    def tell(task: str, state: str | None) -> None:
        if state in ("deferred", "success", "failed", "skipped", "up_for_retry", "upstream_failed"):
            report.say(f"  {task}: {state}")

    return tell


def main(arguments: Sequence[str]) -> int:
    report = Report()
    with ExitStack() as cleanup:
        exports = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="aep-demo-")))
        report.say(f"Starting the Flow Service emulator; its schedules' hours last {HOUR_SECONDS:g} seconds")
        emulator = cleanup.enter_context(EmulatorProcess(exports, hour_seconds=HOUR_SECONDS))
        report.say("Starting Airflow: API server, scheduler, DAG processor and triggerer")
        airflow = cleanup.enter_context(
            AirflowStack(CHECKOUT / "dags_examples", env={"AIRFLOW__AEP__POLL_INTERVAL": "2"})
        )
        report.say(f"Airflow is up at {airflow.url}")
        demonstrate(airflow, Platform(emulator.url), exports, report)
        if "--keep" in arguments:
            report.title(f"Airflow stays open at {airflow.url}")
            print(f"  login {airflow.username}, password {airflow.password}\n  Ctrl-C ends it", flush=True)
            _wait_for_ctrl_c()
        report.say("Stopping")
    if report.wrong:
        report.title(f"{len(report.wrong)} things were not as expected")
        print(*(f"  {what}" for what in report.wrong), sep="\n")
        return 1
    report.say("All as expected")
    return 0


def _wait_for_ctrl_c() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("\nInterrupted; everything is stopped.", file=sys.stderr)
        sys.exit(130)

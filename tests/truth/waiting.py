"""What sensors tell of the empty runs of a month: each run is explained as soon as its end is listed."""

from __future__ import annotations

import json
import time

from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.exchange import conduct
from airflow_provider_aep.flowservice.habits import Habits
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring.explaining import explain_runs
from airflow_provider_aep.monitoring.policy import RunPolicy
from tests.truth.catalog import ServiceWithCatalog
from tests.truth.checks import LAG, Checked, Told, ask, carry_out
from tests.truth.months import Month


def explained_by_sensors(month: Month) -> Checked:
    """Every empty run, explained by a process that has not seen the service before."""
    service = ServiceWithCatalog(month)
    checked = Checked(world=month, since=month.began, first=month.began)
    began = time.perf_counter()
    for export in month.exports:
        for true in month.true_runs[export.id]:
            ended = true.run.ended_at
            if true.exported or ended is None or ended + LAG > month.ends:
                continue
            service.now = ended + LAG
            run = DataflowRun.from_api(json.loads(true.run.over))
            flow = Dataflow.from_api(export.document_at(service.now) or {})
            asked = explain_runs(
                flow, [run], {run.id: "zero_records"}, margin=RunPolicy().margin, now=service.now
            )
            for run_id, cause in carry_out(conduct(asked, ask, Habits()), service).items():
                checked.told.append(
                    Told(
                        dataflow_id=export.id,
                        key=f"zero_records:{run_id}",
                        kind="zero_records",
                        outcome="warn",
                        tick=None,
                        run_ids=(run_id,),
                        known_at=ended,
                        sentence="",
                        new=True,
                        said_at=service.now,
                        cause=cause.to_json(),
                    )
                )
            checked.checks += 1
    checked.requests = service.requests.total()
    checked.seconds = time.perf_counter() - began
    return checked

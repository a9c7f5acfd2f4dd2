"""A moment without an offset is where people live, in operators and sensors, also when the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_aep.errors import AepConfigError, AepValidationError
from airflow_provider_aep.operators.dataflows import AepListDataflowRunsOperator, AepListDataflowsOperator
from airflow_provider_aep.operators.monitoring import AepCheckExportsOperator
from airflow_provider_aep.sensors import AepDataflowRunSensor, AepDatasetIngestedSensor, AepExportsSensor
from airflow_provider_aep.sensors.wanted import Wanted, given_ticks, window_of_ticks
from tests.unit.task_instance import FakeTaskInstance, context_of

DATAFLOW = "6b1c5bd3-4f2a-4d6e-9c0c-1d2b1f2f7a10"
HERE = "AIRFLOW__AEP__TIMEZONE"


@pytest.fixture
def berlin(monkeypatch):
    monkeypatch.setenv(HERE, "Europe/Berlin")


# The clocks are put forward at 02:00 on 29 March 2026, and back at 03:00 on 25 October.
@pytest.mark.parametrize(
    ("given", "utc"),
    [
        ("2026-03-28T06:00", datetime(2026, 3, 28, 5, tzinfo=UTC)),
        ("2026-03-29", datetime(2026, 3, 28, 23, tzinfo=UTC)),
        ("2026-03-29T06:00", datetime(2026, 3, 29, 4, tzinfo=UTC)),
        ("2026-03-30", datetime(2026, 3, 29, 22, tzinfo=UTC)),
        (datetime.fromisoformat("2026-10-24T06:00"), datetime(2026, 10, 24, 4, tzinfo=UTC)),
        (datetime.fromisoformat("2026-10-25T06:00"), datetime(2026, 10, 25, 5, tzinfo=UTC)),
        ("2026-10-25T02:30+01:00", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        ("2026-10-25T02:30Z", datetime(2026, 10, 25, 2, 30, tzinfo=UTC)),
    ],
)
@pytest.mark.usefixtures("berlin")
def test_sensors_read_it_there_over_a_change_to_summer_time_and_back(given, utc):
    context = context_of(FakeTaskInstance())
    now = datetime(2027, 1, 1, tzinfo=UTC)
    assert Wanted(tick=given).moment() == utc
    assert Wanted(started_after=given).window(context)["started_after"] == utc
    assert window_of_ticks(given, None, context, usual=now - utc, now=now)[0] == utc
    assert given_ticks([{"dataflow_id": DATAFLOW, "tick": given}]) == {DATAFLOW: [utc]}


@pytest.mark.parametrize(
    ("given", "why"), [("2026-03-29T02:30", "never comes"), ("2026-10-25T02:30", "comes twice")]
)
@pytest.mark.usefixtures("berlin")
def test_one_that_the_clocks_never_show_or_show_twice_is_refused(given, why):
    with pytest.raises(AepValidationError, match=f"tick {why} in Europe/Berlin"):
        Wanted(tick=given).moment()
    with pytest.raises(AepValidationError, match=f"ingested_after {why}"):
        AepDatasetIngestedSensor(task_id="wait", dataset_id="a1", ingested_after=given)


@pytest.mark.usefixtures("berlin")
def test_operators_read_it_there(aep, logged):
    # 06:00 is 04:00 UTC in summer, and 05:00 UTC in winter.
    operator = AepListDataflowsOperator(
        task_id="list", due_from="2026-10-24T06:00", due_until="2026-10-25T06:00"
    )
    operator.execute(context_of(FakeTaskInstance()))
    runs = AepListDataflowRunsOperator(task_id="runs", dataflow_id=DATAFLOW, started_after="2026-10-25")
    runs.execute(context_of(FakeTaskInstance()))
    told = logged()
    assert "due from 2026-10-24 04:00:00+00:00 to 2026-10-25 05:00:00+00:00" in told
    assert "has 0 runs since 2026-10-24 22:00:00+00:00" in told


def test_without_a_setting_it_is_in_utc(monkeypatch):
    monkeypatch.delenv(HERE, raising=False)
    assert Wanted(tick="2026-07-01T06:00").moment() == datetime(2026, 7, 1, 6, tzinfo=UTC)


def test_a_zone_that_is_not_there_is_refused_by_the_name_of_the_setting(monkeypatch):
    monkeypatch.setenv(HERE, "Europe/Berln")
    with pytest.raises(AepConfigError, match=r"\[aep\] timezone .*Europe/Berlin"):
        Wanted(tick="2026-07-01T06:00").moment()


def test_the_setting_may_be_the_zone_of_the_machine_as_in_airflow(monkeypatch):
    monkeypatch.setenv(HERE, "system")
    monkeypatch.setattr("airflow_provider_aep.hooks.days.zone_here", lambda: ZoneInfo("Asia/Kathmandu"))
    assert Wanted(tick="2026-07-01T06:00").moment() == datetime(2026, 7, 1, 0, 15, tzinfo=UTC)


MAKE = {
    "AepDataflowRunSensor": lambda text: AepDataflowRunSensor(
        task_id="t", dataflow_id=DATAFLOW, started_after=text
    ),
    "tick": lambda text: AepDataflowRunSensor(task_id="t", dataflow_id=DATAFLOW, tick=text),
    "AepExportsSensor": lambda text: AepExportsSensor(task_id="t", due_from=text),
    "AepDatasetIngestedSensor": lambda text: AepDatasetIngestedSensor(
        task_id="t", dataset_id="a1", ingested_after=text
    ),
    "AepListDataflowsOperator": lambda text: AepListDataflowsOperator(task_id="t", due_from=text),
    "AepListDataflowRunsOperator": lambda text: AepListDataflowRunsOperator(
        task_id="t", dataflow_id=DATAFLOW, started_after=text
    ),
    "a list": lambda text: AepExportsSensor(task_id="t", ticks=[{"dataflow_id": DATAFLOW, "tick": text}]),
    "mapped": lambda text: AepDataflowRunSensor.partial(task_id="t", started_after=text).expand(
        dataflow_id=[DATAFLOW]
    ),
    "a mapped operator": lambda text: AepListDataflowsOperator.partial(task_id="t", due_from=text).expand(
        due_until=["2026-07-01"]
    ),
    "AepCheckExportsOperator": lambda text: AepCheckExportsOperator(task_id="t", since=text),
}


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
def test_what_airflow_writes_in_utc_is_not_read_in_another_zone(make, monkeypatch):
    make("{{ ds }}")  # in UTC both are the same
    monkeypatch.setenv(HERE, "Europe/Berlin")
    for text in (
        *("{{ ds }}", "{{ macros.ds_add(ds, -1) }}", "{{ data_interval_start | ts_nodash }}"),
        *(
            "{{ data_interval_start.strftime('%Y-%m-%d') }}",
            "{{ data_interval_end.date() }}",
            "{{ ts[:19] }}",
        ),
        "{{ dag_run.logical_date.format('YYYY-MM-DDTHH:mm') }}",
        "{{ (data_interval_start - macros.timedelta(days=1)).strftime('%Y-%m-%d') }}",
        "{{ data_interval_start.subtract(days=1).start_of('day').to_datetime_string() }}",
        *("{{ data_interval_start.replace(tzinfo=None) }}", "{{ data_interval_start.isoformat()[:10] }}"),
        *("{{ ts | replace('+00:00', '') }}", "{{ ts.split('+')[0] }}", "{{ ts_nodash_with_tz[:15] }}"),
        *("{{ (data_interval_start | string)[:19] }}", "{{ data_interval_start.year }}-01-01"),
        "{% set day = data_interval_start %}{{ day.strftime('%Y-%m-%d') }}",
        "{{ macros.datetime.strftime(data_interval_start, '%Y-%m-%d') }}",
        "{{ '{:%Y-%m-%d}'.format(data_interval_start) }}",
        *("{{ dag_run.start_date.date() }}", "{{ ti.start_date.date() }}", "{{ macros.datetime.utcnow() }}"),
        "{{ prev_data_interval_end_success.strftime('%Y-%m-%d') }}",
        *("{{ params.since or ds }}", "{{ ts if params.whole else ds }}", "{{ ti.xcom_pull('a') or ds }}"),
    ):
        with pytest.raises(AepValidationError, match=r"UTC and without an offset.*data_interval_start"):
            make(text)
    for text in (
        *("{{ data_interval_start }}", "{{ ds }}T06:00Z", "{{ ts }}", "{{ params.ds }}", "2026-07-01"),
        *("{{ ds ~ 'T06:00Z' }}", "{{ data_interval_start.strftime('%Y-%m-%dT%H:%M%z') }}"),
        "{{ data_interval_start.in_timezone('Europe/Berlin').strftime('%Y-%m-%d') }}",
        "{{ data_interval_start.format('YYYY-MM-DDTHH:mmZ') }}",
        "{{ (data_interval_start - macros.timedelta(days=1)).strftime('%Y-%m-%dT%H:%M%z') }}",
        "{{ (data_interval_start - macros.timedelta(days=1)).in_timezone('Europe/Berlin').strftime('%F') }}",
        "{{ data_interval_start }}{{ params.naive.strftime('') }}",
        *("{# ds #}{{ ts }}", "{{ dag_run.conf.ts[:10] }}", "{{ ti.xcom_pull('ds') }}", "{{ run_id }}"),
        *("{{ params.since or '2026-07-01' }}", "{{ data_interval_start.int_timestamp }}", "{{ x | mine }}"),
        "{{ data_interval_start.strftime('%Y-%m-%dT%H:%M:%S+00:00') }}",
        *("{{ ds }}T06:00+01", "{{ ds }}T06+01:00", "{{ '{}'.format(data_interval_start) }}"),
    ):
        make(text)

"""Reads the material for the story of one export, with a limit on the requests.

The runs and the causes are read as in a check, so both report the same. Ingestion is listed once more for the
whole window, because a cause looks no further back than it must.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_aep.arguments import Span, problems_of
from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.validation import is_id
from airflow_provider_aep.monitoring.causes import Cause
from airflow_provider_aep.monitoring.explaining import read_causes
from airflow_provider_aep.monitoring.findings import findings_of
from airflow_provider_aep.monitoring.ingested import AT_ONCE, OPENED_BEFORE, Budget, read_ingested
from airflow_provider_aep.monitoring.owing import Ingested
from airflow_provider_aep.monitoring.policy import AuditPolicy
from airflow_provider_aep.monitoring.questions import case_of
from airflow_provider_aep.monitoring.reading import Datasets, Known, read_timelines
from airflow_provider_aep.monitoring.story import story_of
from airflow_provider_aep.monitoring.story_parts import Facts
from airflow_provider_aep.monitoring.timeline import Timeline

DAYS = 7
MOST_DAYS = 31
# For the batches of all datasets; a page has at most 100.
MOST_REQUESTS, MOST_PAGES = 20, 15
# How far before the window standing problems are looked for, as in ``aep check``.
STANDING_REACH = timedelta(days=1)
_AS_USUAL = AuditPolicy()
_LOOK_BACK = Span(unit="days", least=1, most=MOST_DAYS, whole=True)


def read_story(
    flow: Dataflow,
    *,
    now: datetime,
    conn_id: str,
    sandbox: str,
    days: int | str = DAYS,
    datasets: Datasets | None = None,
) -> Exchange[dict[str, Any]]:
    """The story of the last days of a dataflow; see ``story_of``.

    :param conn_id: the Airflow connection, for the commands.
    :param days: 1 to 31, or an ISO 8601 duration.
    :param datasets: of source connections, as far as they are known.
    :raises AepValidationError: the number of days is not allowed.
    :raises AepError: the service does not answer; runs or batches that cannot be read are in the notes.
    """
    days = check_days(days)
    since = now - timedelta(days=days)
    (read,), _ = yield from read_timelines(
        [flow],
        {flow.id: since - STANDING_REACH},
        now=now,
        policy=_AS_USUAL.runs,
        known=Known(datasets=datasets or {}),
    )
    causes: Mapping[str, Cause] = {}
    if timeline := read.timeline:
        findings = findings_of(timeline, _AS_USUAL, since - STANDING_REACH)
        cases = {finding.key: case for finding in findings if (case := case_of(finding, timeline))}
        causes = yield from read_causes(cases, margin=_AS_USUAL.runs.margin, now=now)
    ids = _datasets(timeline)
    ingested = yield from _read_lanes(ids[:AT_ONCE], since, now)
    material = Facts(
        flow=flow,
        timeline=timeline,
        findings=findings_of(timeline, _AS_USUAL, causes=causes) if timeline else (),
        ingested=ingested,
        since=since,
        now=now,
        policy=_AS_USUAL,
        conn_id=conn_id,
        sandbox=sandbox,
        why=read.why,
        unasked=max(0, len(ids) - AT_ONCE),
    )
    return story_of(material)


def check_days(days: object) -> int:
    """How many days a story looks back.

    :param days: a number, or an ISO 8601 duration.
    :raises AepValidationError: it is neither.
    """
    if problems := list(problems_of({"--days": _LOOK_BACK}, {"--days": days})):
        raise AepValidationError("the arguments", problems)
    return int(_LOOK_BACK.number(days))


def _datasets(timeline: Timeline | None) -> Sequence[str]:
    """The datasets of the export; if they cannot be read, those that its runs name."""
    if timeline is None:
        return ()
    named = timeline.datasets or [dataset_id for run in timeline.runs for dataset_id in run.dataset_ids]
    return list(dict.fromkeys(named))


def _read_lanes(ids: Sequence[str], since: datetime, now: datetime) -> Exchange[dict[str, Ingested]]:
    windows = {key: (since - OPENED_BEFORE, now) for key in ids if is_id(key)}
    budget = Budget(MOST_REQUESTS, told="too many requests would be needed", most_pages=MOST_PAGES)
    read = yield from read_ingested(windows, budget)
    return {key: read.get(key) or Ingested(dataset_id=key, why="its id is malformed") for key in ids}

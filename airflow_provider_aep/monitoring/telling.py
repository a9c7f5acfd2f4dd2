"""Reading what the story of one export is made of, with a bound on the requests.

The runs and the causes are read as a check reads them, so both tell the same. What was ingested is listed
once more for the whole window: a cause looks no further than it must.
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
from airflow_provider_aep.monitoring.story_parts import Told
from airflow_provider_aep.monitoring.timeline import Timeline

DAYS = 7
MOST_DAYS = 31
# For the batches of all datasets; each request brings at most 100.
MOST_REQUESTS, MOST_PAGES = 20, 15
# So long before the window what stands is looked for, as ``aep check`` does.
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
    :param days: 1 to 31; an ISO 8601 duration, too.
    :param datasets: of source connections, as far as they are known.
    :raises AepValidationError: that is no number of days that is looked at.
    :raises AepError: the service could not be asked; runs or batches that cannot be read are told instead.
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
        found = findings_of(timeline, _AS_USUAL, since - STANDING_REACH)
        cases = {each.key: case for each in found if (case := case_of(each, timeline))}
        causes = yield from read_causes(cases, margin=_AS_USUAL.runs.margin, now=now)
    ids = _datasets(timeline)
    ingested = yield from _read_lanes(ids[:AT_ONCE], since, now)
    told = Told(
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
    return story_of(told)


def check_days(days: object) -> int:
    """How many days a story looks back.

    :param days: an ISO 8601 duration, too.
    :raises AepValidationError: it is none.
    """
    if problems := list(problems_of({"--days": _LOOK_BACK}, {"--days": days})):
        raise AepValidationError("the arguments", problems)
    return int(_LOOK_BACK.number(days))


def _datasets(timeline: Timeline | None) -> Sequence[str]:
    """What the export exports; where that cannot be read, what its runs name."""
    if timeline is None:
        return ()
    named = timeline.datasets or [each for run in timeline.runs for each in run.dataset_ids]
    return list(dict.fromkeys(named))


def _read_lanes(ids: Sequence[str], since: datetime, now: datetime) -> Exchange[dict[str, Ingested]]:
    windows = {each: (since - OPENED_BEFORE, now) for each in ids if is_id(each)}
    budget = Budget(MOST_REQUESTS, told="too many requests would be needed", most_pages=MOST_PAGES)
    read = yield from read_ingested(windows, budget)
    return {each: read.get(each) or Ingested(dataset_id=each, why="its id is malformed") for each in ids}

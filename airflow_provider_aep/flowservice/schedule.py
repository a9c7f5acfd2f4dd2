"""When a dataflow exports: from a DAG author's words to Adobe's ``scheduleParams``.

``scheduleParams`` counts epoch *seconds* in UTC (runs count milliseconds). One schedule belongs to one
dataflow and serves all of its datasets. The service runs six cadences and no others.

Source: "Export datasets by using the Flow Service API", "Create dataflow"; read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.flowservice.validation import nearest

INCREMENTAL = "FIRST_FULL_THEN_INCREMENTAL"
FULL_ONCE = "DAILY_FULL_EXPORT"

# every -> (timeUnit, interval, exportMode)
CADENCES: Mapping[str, tuple[str, int, str]] = {
    "once": ("day", 0, FULL_ONCE),  # Adobe's "export once" is a daily full export with interval 0
    "3h": ("hour", 3, INCREMENTAL),
    "6h": ("hour", 6, INCREMENTAL),
    "9h": ("hour", 9, INCREMENTAL),
    "12h": ("hour", 12, INCREMENTAL),
    "1d": ("day", 1, INCREMENTAL),
}
# Only the first edition of the tutorial knows it; the newest one says day/1.
OUTDATED = {"24h": ("hour", 24, INCREMENTAL)}

# Adobe ends a dataflow six months after its creation when no end is given. We always send one.
DEFAULT_LIFE = timedelta(days=180)

MACROS = frozenset(
    {
        "DATASET_ID",
        "DATASET_NAME",
        "DESTINATION",
        "DESTINATION_INSTANCE_ID",
        "DESTINATION_INSTANCE_NAME",
        "EXPORT_TIME",
        "ORGANIZATION_NAME",
        "SANDBOX_NAME",
    }
)
# Numbers outside these are no epoch seconds of an export: 1973, and the year 5138.
EARLIEST, LATEST = 1e8, 1e11
# No cadence is longer than a day; what is longer than a year is a wrong number.
LONGEST_STEP = 366 * 86400
_MACRO = re.compile(r"%([^%/]{1,64})%")
# Adobe's own names for the same things, as pasted from its tutorial
_ALIASES = {
    "startTime": "start",
    "endTime": "end",
    "foldernameTemplate": "folder_template",
    "folderNameTemplate": "folder_template",
}
_KEYS = ("every", "start", "end", "folder_template")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleChange:
    """Checked parts of a schedule; ``None`` means "as it is"."""

    every: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    folder_template: str | None = None

    def warnings(self) -> list[str]:
        """What is allowed but probably not meant."""
        told = []
        if self.every in OUTDATED:
            told.append("schedule: 24 hours is the wording of an older tutorial; write every: 1d (day/1)")
        unknown = [
            name
            for name in _MACRO.findall(self.folder_template or "")
            if name not in MACROS and not name.startswith("DATETIME(")
        ]
        if unknown:
            named = ", ".join(unknown)
            told.append(f"schedule: folder_template has macros that Adobe does not list: {named}")
        return told


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(ScheduleChange):
    """A checked schedule; ``start`` of ``None`` means "now", ``end`` of ``None`` means the default life."""

    every: str

    def to_api(self, now: datetime) -> dict[str, Any]:
        start = self.start or now
        # Counted from now where the start is past: an old one would make an export that is over already.
        end = self.end or max(start, now) + DEFAULT_LIFE
        wire: dict[str, Any] = {
            **_cadence(self.every),
            "startTime": int(start.timestamp()),
            "endTime": int(end.timestamp()),
        }
        if self.folder_template is not None:
            wire["foldernameTemplate"] = self.folder_template
        return wire

    def warnings(self) -> list[str]:
        # Named, as slots make a new class of this one, which a bare super() does not know.
        told = ScheduleChange.warnings(self)
        if self.end is None and self.every != "once":
            told.append(
                f"schedule: no end is given, so the export ends {DEFAULT_LIFE.days} days after its start; "
                "Adobe stops an export at its end without an error"
            )
        return told


def parse_schedule(given: str | Mapping[str, Any], *, now: datetime) -> Schedule:
    """A schedule from a word (``"3h"``) or a dict.

    :param given: ``{"every": "3h", "start": ..., "end": ..., "folder_template": ...}``; times as ISO 8601
        (UTC where no offset is given), ``datetime``, or epoch seconds. Adobe's own ``scheduleParams`` is
        understood too.
    :param now: what a missing start means, to judge the end by.
    :raises AepValidationError: with all problems at once.
    """
    return Schedule(**_parsed(given, now=now, whole=True))


def parse_schedule_change(given: str | Mapping[str, Any], *, now: datetime) -> ScheduleChange:
    """What to change in a schedule: like ``parse_schedule``, but ``every`` may be left out too.

    An end that is earlier than the start that stays is refused by ``merge_schedule``, which knows that one.

    :raises AepValidationError: with all problems at once; also where nothing is named.
    """
    return ScheduleChange(**_parsed(given, now=now, whole=False))


def merge_schedule(existing: Mapping[str, Any], change: ScheduleChange) -> dict[str, Any]:
    """Whole ``scheduleParams``: those that are there, with what is named in their place.

    Equal to ``existing`` where that says the same already, be it in other words, such as an interval as text.

    :param change: a ``Schedule`` too.
    :raises AepValidationError: the result would end before it starts.
    """
    wire = dict(existing)
    if change.every is not None:
        cadence, mode = _cadence(change.every), wire.get("exportMode")
        # Older dataflows have no mode.
        same = _cadence_of(wire.get("timeUnit"), wire.get("interval")) == change.every
        if not (same and mode in (None, cadence["exportMode"])):
            wire |= cadence
    for key, moment in (("startTime", change.start), ("endTime", change.end)):
        if moment is not None and _seconds(wire.get(key)) != int(moment.timestamp()):
            wire[key] = int(moment.timestamp())
    if change.folder_template is not None:
        # The reference spells it folderNameTemplate, all tutorials foldernameTemplate.
        theirs = "folderNameTemplate" in wire and "foldernameTemplate" not in wire
        wire["folderNameTemplate" if theirs else "foldernameTemplate"] = change.folder_template
    start, end = _seconds(wire.get("startTime")), _seconds(wire.get("endTime"))
    if (change.start or change.end) and start is not None and end is not None and end <= start:
        if change.end:
            problem = Problem("schedule/end", "must be later than the start")
        else:
            problem = Problem("schedule/start", "must be earlier than the end that the dataflow has")
        raise AepValidationError("the schedule", [problem])
    return wire


def describe_schedule(wire: Mapping[str, Any]) -> str:
    """``scheduleParams`` for people, as in "every 3h from 2026-12-01T00:00:00Z to 2027-06-01T00:00:00Z"."""
    every = _cadence_of(wire.get("timeUnit"), wire.get("interval"))
    told = every if every == "once" else f"every {every}"
    if every == "unknown":
        told = f"every {wire.get('interval')} {wire.get('timeUnit')}"
    for word, key in (("from", "startTime"), ("to", "endTime")):
        if (seconds := _seconds(wire.get(key))) is not None:
            told += f" {word} {datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%dT%H:%M:%SZ}"
    template = wire.get("foldernameTemplate") or wire.get("folderNameTemplate")
    return f"{told} into {template}" if template else told


def _parsed(given: str | Mapping[str, Any], *, now: datetime, whole: bool) -> dict[str, Any]:
    if not isinstance(given, str | Mapping):
        raise AepValidationError("the schedule", [Problem("schedule", "must be a word or a dict")])
    words = {"every": given} if isinstance(given, str) else dict(given)
    problems = [
        Problem(f"schedule/{theirs}", f"says the same as {ours}; give one of them")
        for theirs, ours in (("timeUnit", "every"), *_ALIASES.items())
        if theirs in words and ours in words
    ]
    for theirs, ours in _ALIASES.items():
        if theirs in words:
            words[ours] = words.pop(theirs)
    if "timeUnit" in words:
        words["every"] = _cadence_of(words.pop("timeUnit"), words.pop("interval", None))
        mode = words.pop("exportMode", None)
        expected = {**CADENCES, **OUTDATED}.get(words["every"])
        if mode is not None and expected is not None and mode != expected[2]:
            problems.append(Problem("schedule/exportMode", f"must be {expected[2]} for that interval"))
    for key in words:
        if key not in _KEYS:
            problems.append(Problem(f"schedule/{key}", f"is not known{nearest(key, _KEYS)}"))
    every = words.get("every")
    if every is not None and (not isinstance(every, str) or every not in {**CADENCES, **OUTDATED}):
        rule = f"must be one of {', '.join(CADENCES)}: the service runs no other cadence"
        problems.append(Problem("schedule/every", rule))
    elif every is None and whole:
        problems.append(Problem("schedule/every", "is missing"))
    start = _moment("schedule/start", words.get("start"), problems)
    end = _moment("schedule/end", words.get("end"), problems)
    if end is not None and end <= (start or now):
        rule = "must be later than the start" if start else "is in the past"
        problems.append(Problem("schedule/end", rule))
    elif end is not None and end <= now:
        problems.append(Problem("schedule/end", "is in the past: nothing would ever be exported"))
    template = words.get("folder_template")
    if template is not None and (not isinstance(template, str) or not template or len(template) > 1024):
        problems.append(Problem("schedule/folder_template", "must be a text of 1 to 1024 characters"))
    elif not whole and (every, start, end, template) == (None,) * 4 and not problems:
        problems.append(Problem("schedule", f"must name what to change: {', '.join(_KEYS)}"))
    if problems:
        raise AepValidationError("the schedule", problems)
    return {"every": every, "start": start, "end": end, "folder_template": template}


def ticks(wire: Mapping[str, Any], after: datetime, before: datetime) -> list[datetime]:
    """When a schedule lets its dataflow export, from ``after`` on and earlier than ``before``.

    :param wire: Adobe's ``scheduleParams``. One that cannot be read has no ticks.
    """
    try:
        start, end = float(wire["startTime"]), float(wire.get("endTime") or "inf")
    except (KeyError, TypeError, ValueError, OverflowError):
        return []
    step = step_of(wire)
    if step is None or not 0 <= start <= LATEST:
        return []
    first, last = max(after.timestamp(), start), min(before.timestamp(), end)
    if step <= 0:  # once
        return [datetime.fromtimestamp(start, tz=UTC)] if first <= start < last else []
    moment = start + -(-(first - start) // step) * step
    found = []
    while moment < last:
        found.append(datetime.fromtimestamp(moment, tz=UTC))
        moment += step
    return found


def step_of(wire: Mapping[str, Any]) -> int | None:
    """Seconds from tick to tick, 0 for a schedule that exports once, ``None`` where it cannot be read."""
    try:
        step = int(wire["interval"]) * {"hour": 3600, "day": 86400}[wire["timeUnit"]]
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return step if 0 <= step <= LONGEST_STEP else None


def is_readable(wire: Mapping[str, Any]) -> bool:
    """Whether it can be told from a schedule when its dataflow should run."""
    try:
        start, end = float(wire["startTime"]), float(wire.get("endTime") or "inf")
    except (KeyError, TypeError, ValueError, OverflowError):
        return False
    return step_of(wire) is not None and 0 <= start <= LATEST and end >= EARLIEST


def parse_moment(field: str, given: object) -> datetime:
    """A moment in UTC from ISO 8601, a ``datetime``, or epoch seconds.

    :raises AepValidationError: it is none of these.
    """
    problems: list[Problem] = []
    moment = _moment(field, given, problems)
    if moment is None:
        raise AepValidationError("the times", problems or [Problem(field, "is missing")])
    return moment


def _moment(field: str, given: object, problems: list[Problem]) -> datetime | None:
    if given is None or given == "":
        return None
    try:
        if isinstance(given, int) and not isinstance(given, bool):
            given = str(given)
        # eight digits are a date, as {{ ds_nodash }} renders it
        if isinstance(given, str) and not re.fullmatch(r"\d{1,7}|\d{9,17}(\.\d+)?", given):
            given = datetime.fromisoformat(given)
        if isinstance(given, datetime):
            # pendulum's datetimes pass here too; a plain one leaves, which pickles and compares alike
            aware = given if given.tzinfo else given.replace(tzinfo=UTC)
            return datetime.fromtimestamp(aware.timestamp(), tz=UTC)
        if isinstance(given, float | str):
            seconds = float(given)
            if seconds > LATEST:
                problems.append(Problem(field, "must be in epoch seconds; this looks like milliseconds"))
                return None
            if seconds >= EARLIEST:
                return datetime.fromtimestamp(seconds, tz=UTC)
    except (ValueError, OverflowError, OSError):
        pass  # told below, with all other kinds of unreadable values
    problems.append(Problem(field, "must be ISO 8601, a datetime, or epoch seconds"))
    return None


def _cadence(every: str) -> dict[str, Any]:
    unit, interval, mode = {**CADENCES, **OUTDATED}[every]
    return {"exportMode": mode, "timeUnit": unit, "interval": interval}


def _seconds(value: object) -> int | None:
    """Epoch seconds of ``scheduleParams``, also as text; ``None`` for anything else."""
    try:
        seconds = int(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds <= LATEST else None


def _cadence_of(unit: object, interval: object) -> str:
    for every, (known_unit, known_interval, _) in {**CADENCES, **OUTDATED}.items():
        if unit == known_unit and interval in (known_interval, str(known_interval)):
            return every
    return "unknown"


def schedule_words(wire: Mapping[str, Any]) -> dict[str, str | None]:
    """Adobe's ``scheduleParams`` in the words that ``parse_schedule`` reads; ``None`` for what is not there.

    A cadence that we have no word for is told as it is, such as ``8 hour``.
    """
    unit, interval = wire.get("timeUnit"), wire.get("interval")
    every = _cadence_of(unit, interval)
    return {
        "every": f"{interval} {unit}" if every == "unknown" else every,
        "start": _words_of_moment(wire.get("startTime")),
        "end": _words_of_moment(wire.get("endTime")),
        # The tutorials write a lower-case n, the reference an upper-case one.
        "folder_template": wire.get("foldernameTemplate", wire.get("folderNameTemplate")),
    }


def _words_of_moment(seconds: object) -> str | None:
    problems: list[Problem] = []
    moment = _moment("", seconds, problems)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None

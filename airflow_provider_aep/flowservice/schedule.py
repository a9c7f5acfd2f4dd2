"""When a dataflow exports: from a DAG author's words to Adobe's ``scheduleParams``.

``scheduleParams`` counts epoch *seconds* in UTC (runs count milliseconds). One schedule belongs to one
dataflow and applies to all of its datasets. The words for how often it exports are in ``cadences``.

Source: "Export datasets by using the Flow Service API", "Create dataflow"; read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.flowservice.cadences import (
    AS_IS,
    OUTDATED,
    cadence_rule,
    is_cadence,
    is_same,
    members_of,
    step_of,
    word_of,
)
from airflow_provider_aep.flowservice.moments import EARLIEST, LATEST, check_zone, moment_of
from airflow_provider_aep.flowservice.patterns import unlisted_macros
from airflow_provider_aep.flowservice.validation import unknown

# Adobe ends a dataflow six months after its creation if no end is given. We always send one.
DEFAULT_LIFE = timedelta(days=180)

PAST = "is in the past: nothing would be exported; give a later end"
TOO_EARLY = (
    "must be later than the start that the dataflow has, {}: give a later end; to stop the export, use "
    "AepDisableDataflowOperator"
)

# Adobe's own names for the same things, as pasted from its tutorial
_ALIASES = {
    "startTime": "start",
    "endTime": "end",
    "foldernameTemplate": "folder_template",
    "folderNameTemplate": "folder_template",
}
_KEYS = ("every", "start", "end", "folder_template", "timezone")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleChange:
    """Checked parts of a schedule; ``None`` means "unchanged", and so does ``every`` of ``as-is``."""

    every: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    folder_template: str | None = None

    def warnings(self) -> list[str]:
        """Warnings about values that are allowed but probably not meant."""
        warnings = []
        if self.every == OUTDATED:
            warnings.append(
                "schedule: write every: 1d; 24h is the wording of an older tutorial, and a day is sent"
            )
        if unlisted := ", ".join(unlisted_macros(self.folder_template or "")):
            warnings.append(f"schedule: folder_template has macros that Adobe does not list: {unlisted}")
        return warnings


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(ScheduleChange):
    """A checked schedule; ``start`` of ``None`` means "now", ``end`` of ``None`` means the default life."""

    every: str

    def to_api(self, now: datetime) -> dict[str, Any]:
        """Whole ``scheduleParams`` for a new dataflow.

        :raises AepValidationError: ``every`` is ``as-is``, and a new dataflow has no cadence yet.
        """
        check_new(self.every)
        start = self.start or now
        # Counted from now if the start is past: from an old start, the export might be over already.
        end = self.end or max(start, now) + DEFAULT_LIFE
        wire: dict[str, Any] = {
            **members_of(self.every),
            "startTime": int(start.timestamp()),
            "endTime": int(end.timestamp()),
        }
        if self.folder_template is not None:
            wire["foldernameTemplate"] = self.folder_template
        return wire

    def warnings(self) -> list[str]:
        # No bare super(): slots make a new class, which it does not know.
        warnings = ScheduleChange.warnings(self)
        if self.end is None and self.every not in ("once", AS_IS):
            warnings.append(
                f"schedule: no end is given, so the export ends {DEFAULT_LIFE.days} days after its start; "
                "Adobe stops an export at its end without an error"
            )
        return warnings


def check_new(every: str) -> None:
    """Check that a new dataflow can have a cadence.

    :raises AepValidationError: it is ``as-is``.
    """
    if every == AS_IS:
        rule = f"{AS_IS} keeps the cadence of an existing dataflow; a new one needs a word such as 3h"
        raise AepValidationError("the schedule", [Problem("schedule/every", rule)])


def parse_schedule(given: str | Mapping[str, Any], *, now: datetime) -> Schedule:
    """A schedule from a word (``"3h"``) or a dict.

    :param given: ``{"every": "3h", "start": ..., "end": ..., "timezone": ..., "folder_template": ...}``;
        times as ISO 8601 or ``datetime`` (without an offset in ``timezone``, by default UTC), or epoch
        seconds. Adobe's own ``scheduleParams`` is accepted too.
    :param now: the default start, to judge the end by.
    :raises AepValidationError: with all problems at once.
    """
    return Schedule(**_parsed(given, now=now, whole=True))


def parse_schedule_change(given: str | Mapping[str, Any], *, now: datetime) -> ScheduleChange:
    """What to change in a schedule: like ``parse_schedule``, but ``every`` may be left out too.

    ``merge_schedule``, which knows the present start, refuses an end before it.

    :raises AepValidationError: with all problems at once; also if nothing is named.
    """
    return ScheduleChange(**_parsed(given, now=now, whole=False))


def merge_schedule(existing: Mapping[str, Any], change: ScheduleChange) -> dict[str, Any]:
    """Whole ``scheduleParams``: the existing ones, with the changes applied.

    Equal to ``existing`` if nothing differs in meaning, such as an interval as text.

    :param change: a ``Schedule`` too.
    :raises AepValidationError: the result would end before it starts.
    """
    wire = dict(existing)
    every = change.every
    if every is not None and every != AS_IS and not is_same(wire, every):
        wire |= members_of(every)
    for key, moment in (("startTime", change.start), ("endTime", change.end)):
        if moment is not None and _seconds(wire.get(key)) != int(moment.timestamp()):
            wire[key] = int(moment.timestamp())
    if change.folder_template is not None:
        # The reference spells it folderNameTemplate, all tutorials foldernameTemplate.
        theirs = "folderNameTemplate" in wire and "foldernameTemplate" not in wire
        wire["folderNameTemplate" if theirs else "foldernameTemplate"] = change.folder_template
    start, end = _seconds(wire.get("startTime")), _seconds(wire.get("endTime"))
    if (change.start or change.end) and start is not None and end is not None and end <= start:
        where, rule = "start", f"must be earlier than the end that the dataflow has, {_words_of_moment(end)}"
        if change.end:
            where, rule = "end", TOO_EARLY.format(_words_of_moment(start))
        raise AepValidationError("the schedule", [Problem(f"schedule/{where}", rule)])
    return wire


def describe_schedule(wire: Mapping[str, Any]) -> str:
    """``scheduleParams`` for people, as in "every 3h from 2026-12-01T00:00:00Z to 2027-06-01T00:00:00Z"."""
    every = _cadence_words(wire)
    words = every if every == "once" else f"every {every}"
    for word, key in (("from", "startTime"), ("to", "endTime")):
        if (seconds := _seconds(wire.get(key))) is not None:
            words += f" {word} {datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%dT%H:%M:%SZ}"
    template = wire.get("foldernameTemplate") or wire.get("folderNameTemplate")
    return f"{words} into {template}" if template else words


def _parsed(given: str | Mapping[str, Any], *, now: datetime, whole: bool) -> dict[str, Any]:
    if not isinstance(given, str | Mapping):
        raise AepValidationError("the schedule", [Problem("schedule", "must be a word or a dict")])
    words: dict[str, Any] = {"every": given} if isinstance(given, str) else dict(given)
    problems = [
        Problem(f"schedule/{theirs}", f"says the same as {ours}; give one of them")
        for theirs, ours in (("timeUnit", "every"), *_ALIASES.items())
        if theirs in words and ours in words
    ]
    for theirs, ours in _ALIASES.items():
        if theirs in words:
            words[ours] = words.pop(theirs)
    if theirs_given := "timeUnit" in words:
        words["every"] = _every_of(words, problems)
    for key in words:
        if key not in _KEYS:
            problems.append(Problem(f"schedule/{key}", unknown(key, _KEYS)))
    every = words.get("every")
    if every is not None and every != AS_IS and not is_cadence(every):
        problems.append(Problem("schedule/every", cadence_rule(every)))
    elif every is None and whole and not theirs_given:
        problems.append(Problem("schedule/every", "is missing"))
    zone: tzinfo = UTC
    if words.get("timezone") is not None:
        try:
            zone = check_zone("schedule/timezone", words["timezone"])
        except AepValidationError as error:
            problems += error.problems
    start = moment_of("schedule/start", words.get("start"), problems, zone)
    end = moment_of("schedule/end", words.get("end"), problems, zone)
    if end is not None and end <= now:
        problems.append(Problem("schedule/end", PAST))
    elif end is not None and start is not None and end <= start:
        problems.append(Problem("schedule/end", "must be later than the start: give a later end"))
    template = words.get("folder_template")
    if template is not None and (not isinstance(template, str) or not template or len(template) > 1024):
        problems.append(Problem("schedule/folder_template", "must be a text of 1 to 1024 characters"))
    elif not whole and (every, start, end, template) == (None,) * 4 and not problems:
        problems.append(Problem("schedule", f"must name what to change: {', '.join(_KEYS[:-1])}"))
    if problems:
        raise AepValidationError("the schedule", problems)
    return {"every": every, "start": start, "end": end, "folder_template": template}


def ticks(wire: Mapping[str, Any], after: datetime, before: datetime) -> list[datetime]:
    """The ticks of a schedule from ``after`` on and earlier than ``before``.

    :param wire: Adobe's ``scheduleParams``. An unreadable one has no ticks.
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
    moments = []
    while moment < last:
        moments.append(datetime.fromtimestamp(moment, tz=UTC))
        moment += step
    return moments


def is_readable(wire: Mapping[str, Any]) -> bool:
    """Whether a schedule says when its dataflow should run."""
    try:
        start, end = float(wire["startTime"]), float(wire.get("endTime") or "inf")
    except (KeyError, TypeError, ValueError, OverflowError):
        return False
    return step_of(wire) is not None and 0 <= start <= LATEST and end >= EARLIEST


def _seconds(value: object) -> int | None:
    """Epoch seconds of ``scheduleParams``, also as text; ``None`` for anything else."""
    try:
        seconds = int(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds <= LATEST else None


def _cadence_words(wire: Mapping[str, Any]) -> str:
    """The cadence for people, also one that we have no word for."""
    return word_of(wire) or f"{wire.get('interval')} {wire.get('timeUnit')}"


def _every_of(words: dict[str, Any], problems: list[Problem]) -> str | None:
    """The word for Adobe's own members, which are removed from ``words``; ``None`` if a problem was added."""
    wire = {key: words.pop(key, None) for key in ("timeUnit", "interval", "exportMode")}
    if wire["timeUnit"] not in ("hour", "day"):
        problems.append(Problem("schedule/timeUnit", "must be hour or day"))
        return None
    every = word_of(wire)
    if every is None or (every == "once" and wire["timeUnit"] != "day"):
        rule = "must be a whole number of hours or days up to 366 days; 0 days export once"
        problems.append(Problem("schedule/interval", rule))
    elif wire["exportMode"] not in (None, mode := members_of(every)["exportMode"]):
        problems.append(Problem("schedule/exportMode", f"must be {mode} for that interval"))
    return every


def schedule_words(wire: Mapping[str, Any]) -> dict[str, str | None]:
    """Adobe's ``scheduleParams`` in the words that ``parse_schedule`` reads; ``None`` for what is missing.

    A cadence that we have no word for keeps Adobe's, such as ``15 minute``.
    """
    return {
        "every": _cadence_words(wire),
        "start": _words_of_moment(wire.get("startTime")),
        "end": _words_of_moment(wire.get("endTime")),
        # The tutorials write a lower-case n, the reference an upper-case one.
        "folder_template": wire.get("foldernameTemplate", wire.get("folderNameTemplate")),
    }


def _words_of_moment(seconds: object) -> str | None:
    problems: list[Problem] = []
    moment = moment_of("", seconds, problems)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None

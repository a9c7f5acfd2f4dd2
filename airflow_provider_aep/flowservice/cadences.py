"""How often a dataflow exports: from a word to Adobe's members and back, and what a flow spec allows.

A cadence is the step from one export to the next, and an export mode. The same step in other units, such as
24 hours and a day, is the same cadence: it has the same ticks and exports the same data.

Source: "Export datasets by using the Flow Service API", "Create dataflow"; July 2026 release notes (hourly
exports); read 2026-11. No public document shows a dataset flow spec, so ``allowed`` validates examples with
its schema and does not rely on where anything stands in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from airflow_provider_aep.flowservice.validation import broken_rules

INCREMENTAL = "FIRST_FULL_THEN_INCREMENTAL"
FULL_ONCE = "DAILY_FULL_EXPORT"

# The cadences that Adobe's documents name: every -> (timeUnit, interval, exportMode)
CADENCES: Mapping[str, tuple[str, int, str]] = {
    "once": ("day", 0, FULL_ONCE),  # Adobe's "export once" is a daily full export with interval 0
    "1h": ("hour", 1, INCREMENTAL),
    "3h": ("hour", 3, INCREMENTAL),
    "6h": ("hour", 6, INCREMENTAL),
    "9h": ("hour", 9, INCREMENTAL),
    "12h": ("hour", 12, INCREMENTAL),
    "1d": ("day", 1, INCREMENTAL),
}
# The cadence that a dataflow has, whatever it is.
AS_IS = "as-is"
# The first edition of the tutorial knows hour/24; the newest one says day/1.
OUTDATED = "24h"
RULE = (
    f"must be one of {', '.join(CADENCES)}, or another whole number of hours (h) or days (d) up to 366d; "
    f"{AS_IS} keeps the cadence that a dataflow has"
)

# A step of more than a year is a wrong number.
LONGEST_STEP = 366 * 86400
# Adobe uses weeks for sources; if somebody sets them on an export, they are read as weeks.
_SECONDS = {"h": 3600, "d": 86400, "hour": 3600, "day": 86400, "week": 7 * 86400}
# References that lead to each other take exponential time.
MOST_REFERENCES = 4
_WORD = re.compile(r"([1-9][0-9]{0,3})([hd])")
# No list of cadences and no sensible range holds this interval.
_ABSURD = 999_983

# How people write a cadence elsewhere; minutes count if they make whole hours.
_WORDS = {"hourly": "1h", "daily": "1d", "weekly": "7d", "once": "once"}
_UNITS = {"m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "d": 86400, "day": 86400, "w": 604800}
_UNITS["week"] = _UNITS["w"]
_IN_WORDS = re.compile(r"([1-9][0-9]{0,4}) ?([a-z]{1,6}?)s?")

Allowed = Literal["yes", "no", "not told"]


def is_cadence(every: object) -> bool:
    """Whether ``every`` is a word for a cadence; ``as-is`` is none."""
    return isinstance(every, str) and (every == "once" or _step_of_word(every) is not None)


def cadence_rule(every: object) -> str:
    """What a cadence must be, with a suggestion if ``every`` has a likely meaning."""
    word = every[:64].strip().lower() if isinstance(every, str) else ""
    if len(word.split()) == 5:
        return f"{RULE}; a cron expression is not understood: the start says at which hour"
    meant = _WORDS.get(word.removeprefix("@"))
    if match := _IN_WORDS.fullmatch(word):
        step = int(match[1]) * _UNITS.get(match[2], 0)
        meant = word_of({"timeUnit": "hour", "interval": step / 3600}) if step else None
    return f"{RULE} (did you mean '{meant}'?)" if meant else RULE


def members_of(every: str) -> dict[str, Any]:
    """``exportMode``, ``timeUnit`` and ``interval`` of a word for which ``is_cadence`` holds."""
    if every not in CADENCES:
        step = _step_of_word(every) or 0
        every = "1d" if step == 86400 else every
    if every in CADENCES:
        unit, interval, mode = CADENCES[every]
    else:
        unit, interval, mode = {"h": "hour", "d": "day"}[every[-1]], int(every[:-1]), INCREMENTAL
    return {"exportMode": mode, "timeUnit": unit, "interval": interval}


def step_of(wire: Mapping[str, Any]) -> int | None:
    """Seconds from tick to tick, 0 for a schedule that exports once, ``None`` if it is unreadable."""
    unit, interval = str(wire.get("timeUnit")).lower(), wire.get("interval")
    if isinstance(interval, float) and interval.is_integer():
        interval = int(interval)
    if isinstance(interval, str) and re.fullmatch(r"[0-9]{1,9}", interval):
        interval = int(interval)
    if isinstance(interval, bool) or not isinstance(interval, int) or unit not in ("hour", "day", "week"):
        return None
    step = interval * _SECONDS[unit]
    return step if 0 <= step <= LONGEST_STEP else None


def word_of(wire: Mapping[str, Any]) -> str | None:
    """The word for the cadence of ``scheduleParams``, in days if it is whole days; ``None`` if unreadable."""
    step = step_of(wire)
    if step is None:
        return None
    if step == 0:
        return "once"
    return f"{step // 86400}d" if step % 86400 == 0 else f"{step // 3600}h"


def is_same(wire: Mapping[str, Any], every: str) -> bool:
    """Whether ``scheduleParams`` already have the cadence of a word, in whatever units.

    Older dataflows have no mode; for them the step decides.
    """
    wanted = members_of(every)
    return step_of(wire) == step_of(wanted) and wire.get("exportMode") in (None, wanted["exportMode"])


def allowed(flow_spec: Mapping[str, Any], every: str) -> Allowed:
    """Whether a flow spec allows a cadence.

    :param flow_spec: Adobe's document, of any content.
    :param every: a word for which ``is_cadence`` holds.
    :return: ``not told`` also for a schema that accepts any interval, or none of the documented ones: it does
        not restrict cadences, or not in terms that we know.
    """
    schedule_spec = flow_spec.get("scheduleSpec")
    schema = schedule_spec.get("spec") if isinstance(schedule_spec, Mapping) else None
    if not isinstance(schema, Mapping):
        return "not told"
    try:
        if _leads_elsewhere(schema) or _references(schema) > MOST_REFERENCES:
            return "not told"
        for as_text in (False, True):
            wanted = members_of(every)
            if _takes(schema, wanted, as_text=as_text):
                any_other = _takes(schema, {**wanted, "interval": _ABSURD}, as_text=as_text)
                return "not told" if any_other else "yes"
            if any(_takes(schema, members_of(known), as_text=as_text) for known in CADENCES):
                return "no"
    except Exception:
        # The document may be no schema at all, and the library then fails in too many ways to list.
        return "not told"
    return "not told"


def allowed_cadences(flow_spec: Mapping[str, Any]) -> list[str]:
    """The likely cadences that a flow spec allows, as words; none if it does not say."""
    likely = ("once", *(f"{hours}h" for hours in range(1, 24)), *(f"{days}d" for days in range(1, 8)))
    return [every for every in likely if allowed(flow_spec, every) == "yes"]


def _takes(schema: Mapping[str, Any], members: Mapping[str, Any], *, as_text: bool) -> bool:
    interval = str(members["interval"]) if as_text else members["interval"]
    # Flow specs of sources call timeUnit frequency.
    document = {
        **members,
        "interval": interval,
        "frequency": members["timeUnit"],
        "startTime": 1_800_000_000,
        "endTime": 1_900_000_000,
    }
    return next(broken_rules(schema, document), None) is None


def _leads_elsewhere(schema: object) -> bool:
    """Whether a schema refers to another document, which the library would fetch."""
    if isinstance(schema, Mapping):
        reference = schema.get("$ref", "#")
        local = isinstance(reference, str) and reference.startswith("#")
        return not local or any(map(_leads_elsewhere, schema.values()))
    return isinstance(schema, list) and any(map(_leads_elsewhere, schema))


def _references(schema: object) -> int:
    if isinstance(schema, Mapping):
        return ("$ref" in schema) + sum(map(_references, schema.values()))
    return sum(map(_references, schema)) if isinstance(schema, list) else 0


def _step_of_word(every: str) -> int | None:
    match = _WORD.fullmatch(every)
    step = int(match[1]) * _SECONDS[match[2]] if match else 0
    return step if 0 < step <= LONGEST_STEP else None

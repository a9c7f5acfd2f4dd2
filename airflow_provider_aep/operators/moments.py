"""Moments that are templates: what can be checked when the DAG is parsed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from airflow_provider_aep.arguments import is_template
from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.times import in_pendulum

# The arguments that are moments, or contain some, of whatever operator or sensor.
MOMENTS = (
    *("started_after", "started_before", "tick", "ticks", "ingested_after"),
    *("due_from", "due_until", "since", "until"),
)
# Such a template passes moments on as they are: names alone, none of them a text, none a part of a moment.
_PASSES_ON = re.compile(
    r"\s*\{\{(?!.*(?:(?<![a-z])[dt]s(?![a-z])|(?:start|end|date|after|at|success)\.))[\w\s.'\"]*\}\}\s*"
)
# The author of such a template has thought of the time zone.
_CONVERTS = re.compile(r"\b(in_timezone|in_tz|astimezone)\b")
_ANY_ZONE = timezone(timedelta(hours=1))
# What Airflow's templates know: moments, and dates and times that are written in UTC.
_OF_A_TASK = (
    *("data_interval_start", "data_interval_end", "logical_date", "execution_date"),
    *("prev_data_interval_start_success", "prev_data_interval_end_success"),
    *("prev_start_date_success", "prev_end_date_success"),
)
_OF_A_RUN = (*_OF_A_TASK[:4], "run_after", "queued_at", "start_date", "end_date")
_FORMATS = {"ds": "%Y-%m-%d", "ds_nodash": "%Y%m%d", "ts": "%Y-%m-%dT%H:%M:%S+00:00"} | {
    "ts_nodash": "%Y%m%dT%H%M%S",
    "ts_nodash_with_tz": "%Y%m%dT%H%M%S+0000",
}
_OTHER_DAYS = ("yesterday_", "tomorrow_", "prev_", "next_")


def check_moments(given: Mapping[str, Any]) -> None:
    """Reject a template that Airflow renders in UTC, and that would be read in another zone.

    It would shift a window by some hours, so that an earlier run might pass for the right one.

    :param given: arguments of a task, or of the ``partial`` of a mapped one, by name.
    :raises AepValidationError: when the DAG is parsed.
    """
    templates = {
        place: text
        for name in MOMENTS
        for place, text in _templates(name, given.get(name))
        if not _PASSES_ON.fullmatch(text)
    }
    if not templates:
        return
    # Imported here: most DAG files have no such template.
    from airflow_provider_aep.hooks.days import zone_of_days

    zone = str(zone_of_days())
    if zone.endswith("UTC"):
        return
    rule = (
        "is written in UTC and without an offset, such as {}, and [aep] timezone is {}: "
        "give {{{{ data_interval_start }}}}, or add an offset at the end"
    )
    written = {name: _without_offset(text) for name, text in templates.items()}
    if problems := [Problem(name, rule.format(text, zone)) for name, text in written.items() if text]:
        raise AepValidationError("the times", problems)


def _templates(name: str, given: Any) -> Iterable[tuple[str, str]]:
    if is_template(given):
        yield name, given
    elif isinstance(given, Mapping):
        for key, each in given.items():
            yield from _templates(f"{name}/{key}", each)
    elif isinstance(given, list | tuple):
        for at, each in enumerate(given):
            yield from _templates(f"{name}/{at}", each)


@lru_cache(maxsize=256)  # most tasks of a DAG file have the same templates
def _without_offset(text: str) -> str:
    """A moment without its offset, as the template writes one that it has from Airflow; empty if it does not.

    It is tried with two moments, and with everything that only the running task knows as true and as false.
    """
    from airflow_provider_aep.flowservice.moments import moment_of

    if _CONVERTS.search(text):
        return ""
    for truth in (False, True):
        first, second = _tried(text, truth)
        is_local = moment_of("", first, [], UTC) != moment_of("", first, [], _ANY_ZONE)
        if is_local and first != second:
            return first
    return ""


def _tried(text: str, truth: bool) -> tuple[str, str]:
    """The template as Airflow renders it in DAG runs of two years; empty if that cannot be tried."""
    from jinja2 import ChainableUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Unknown(ChainableUndefined):
        """What only the running task knows; it is written as nothing."""

        def __bool__(self) -> bool:
            return truth

        def __call__(self, *_: Any, **__: Any) -> Unknown:  # type: ignore[override]
            return self

    environment = ImmutableSandboxedEnvironment(undefined=Unknown, cache_size=0)
    environment.filters |= {name: _filter(form) for name, form in _FORMATS.items()}
    try:
        template = environment.from_string(text)
        return template.render(_known(text, 2026)), template.render(_known(text, 2027))
    except Exception:  # a template may do anything; its text is read again when the task runs
        return "", ""


def _known(text: str, year: int) -> dict[str, Any]:
    """What a template knows in a DAG run of that year."""
    moment = in_pendulum(datetime(year, 7, 1, 12, tzinfo=UTC))
    words = {name: moment.strftime(form) for name, form in _FORMATS.items()}
    days = {f"{day}{name}": words[name] for day in _OTHER_DAYS for name in ("ds", "ds_nodash")}
    run = SimpleNamespace(**dict.fromkeys(_OF_A_RUN, moment))
    runs = dict.fromkeys(("dag_run", "ti", "task_instance"), run)
    return {**dict.fromkeys(_OF_A_TASK, moment), **words, **days, **runs, "macros": _macros(text)}


def _filter(form: str) -> Any:
    return lambda moment: moment.strftime(form)


def _macros(text: str) -> Any:
    """Airflow's macros, if the template names them."""
    if "macros" not in text:
        return None
    try:
        return import_module("airflow.sdk.execution_time.macros")
    except ImportError:  # Airflow 2
        return import_module("airflow.macros")

"""The run policy: what each way to end means to the watching task, and its limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any, Literal, get_args

from airflow_provider_aep.arguments import Argument, Number, OneOf, Span, problems_of
from airflow_provider_aep.errors import AepValidationError, Problem

__all__ = ["AuditPolicy", "RunPolicy"]

Choice = Literal["fail", "warn", "skip", "ok"]
CHOICES: tuple[Choice, ...] = get_args(Choice)
# How much a choice concerns the engineer on call.
CONCERN: Mapping[Choice, int] = {"fail": 2, "warn": 1, "ok": 0, "skip": 0}

# No verdict looks further back than this.
FURTHEST_BACK = timedelta(days=45)
# A longer margin would leave no time between two daily exports.
LARGEST_MARGIN = 12 * 3600
# No run takes a year, and a limit must be finite.
LONGEST_RUN = 366 * 86_400
# The statuses of runs that ingestion may explain.
EMPTY_OR_SMALL = ("zero_records", "low_records")
# With fewer runs than this, a median is meaningless.
LEAST_HISTORY = 3
# As many as the service lists on one page.
MOST_HISTORY = 100

_CHOICE = OneOf(*CHOICES)
_SHARE = Number(least=0, most=1, told="must be a share, from 0 to 1")
# Fields that are not named here are choices.
_RULES: Mapping[str, Argument] = {
    "min_records": Number(least=1, whole=True, optional=True),
    "max_drop": Number(least=0, most=1, optional=True, told="must be a share, from 0 to 1"),
    "history": Number(least=LEAST_HISTORY, most=MOST_HISTORY, whole=True),
    "zero_streak": Number(least=1, most=MOST_HISTORY, whole=True),
    "max_failed_ratio": _SHARE,
    "max_skipped_ratio": _SHARE,
    "max_duration": Span(least=None, above=0, most=LONGEST_RUN, optional=True),
    "ingestion_margin": Span(most=LARGEST_MARGIN),
    "ends_soon_days": Span(unit="days", whole=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPolicy:
    """What each way to end means to the task (``fail``, ``warn``, ``skip`` or ``ok``), and its limits.

    :param on_failed: a run failed, was cancelled, or ended with an unknown status.
    :param on_partial: a run succeeded, but lost or skipped records, or has errors.
    :param on_zero_records: a run succeeded and exported nothing. After the first, full export this may be
        correct: there were no new data.
    :param on_zero_when_nothing_ingested: replaces ``on_zero_records`` and ``zero_streak`` if the Catalog
        shows that nothing was ingested since the last good export: the run is rightly empty.
    :param on_zero_when_ingested: the same if data were ingested in time, and not exported.
    :param on_low_records: a run exported fewer records than ``min_records`` or ``max_drop`` allow.
    :param on_slow: a run took longer than ``max_duration``.
    :param on_stuck: a run is still under way after ``max_duration``; without it, after 150 minutes if that is
        several times as long as usual, or past the next tick. It may never end, and delivers nothing so far.
    :param on_incomplete: a tick had fewer runs than it owes: one of several datasets is missing.
    :param on_unknown_records: a run succeeded and has no count of records. Adobe leaves counts out of some
        runs, and unknown is not zero.
    :param min_records: how many records a run that is not empty must export.
    :param max_drop: how far below the usual the records may be, as a share: ``0.5`` allows half. The usual is
        the median of the last ``history`` runs that exported something; with fewer than three, there is none.
    :param history: how many earlier runs determine the usual.
    :param zero_streak: ``on_zero_records`` applies from the Nth consecutive empty run. The first run of a
        dataflow is a full export, which matters at once.
    :param max_failed_ratio: the share of failed records up to which a run still counts as whole. It tolerates
        nothing but lost records: a run that also has an error of another kind is partial.
    :param max_skipped_ratio: the same for skipped records.
    :param max_duration: seconds, a ``timedelta``, or an ISO 8601 duration such as ``PT2H``.
    :param ingestion_margin: the same. Data that were ingested so close to the start of a run may or may not
        belong to it, because Adobe does not document when an export takes its snapshot.
    """

    on_failed: Choice = "fail"
    on_partial: Choice = "warn"
    on_zero_records: Choice = "warn"
    on_zero_when_nothing_ingested: Choice = "ok"
    on_zero_when_ingested: Choice = "fail"
    on_low_records: Choice = "warn"
    on_slow: Choice = "warn"
    on_stuck: Choice = "fail"
    on_incomplete: Choice = "fail"
    on_unknown_records: Choice = "ok"
    min_records: int | None = None
    max_drop: float | None = None
    history: int = 7
    zero_streak: int = 1
    max_failed_ratio: float = 0.0
    max_skipped_ratio: float = 0.0
    max_duration: float | timedelta | str | None = None
    ingestion_margin: float | timedelta | str = 3600.0

    def __post_init__(self) -> None:
        _check("the run policy", self)

    def to_json(self) -> dict[str, Any]:
        """The arguments that make this policy, without those that have their defaults."""
        return _changed(self)

    @property
    def longest(self) -> timedelta | None:
        """``max_duration`` as a span."""
        return None if self.max_duration is None else timedelta(seconds=float(self.max_duration))  # type: ignore[arg-type]

    @property
    def margin(self) -> timedelta:
        """``ingestion_margin`` as a span."""
        return timedelta(seconds=float(self.ingestion_margin))  # type: ignore[arg-type]

    @property
    def needs_history(self) -> bool:
        """Whether a verdict takes earlier runs into account."""
        return self.max_drop is not None or self.zero_streak > 1

    def reach(self, step: timedelta) -> timedelta:
        """How far back earlier runs matter to a run.

        :param step: from tick to tick; zero if it is not known.
        """
        if not self.needs_history:
            return timedelta()
        ticks = max(self.history, self.zero_streak) + 1
        return min((step or timedelta(days=1)) * ticks, FURTHEST_BACK)


def run_policy(
    given: Mapping[str, Any] | None, beside: Iterable[str] = (), *, alone: Mapping[str, Any] | None = None
) -> RunPolicy:
    """A run policy from a dict, as in a DAG.

    :param given: ``None`` for the defaults.
    :param beside: names of an enclosing policy, for a hint at what was meant.
    :param alone: fields that are separate arguments; ``None`` for those that were left out.
    :raises AepValidationError: it breaks a rule, has an unknown field, or has a field twice.
    """
    known = {policy_field.name for policy_field in fields(RunPolicy)}
    hints = sorted({*known, *beside})
    arguments = {name: value for name, value in (alone or {}).items() if value is not None}
    if given is None:
        return RunPolicy(**arguments)
    if not isinstance(given, Mapping):
        problem = Problem("run_policy", "must be a dict, such as {'max_drop': 0.5}; it is no template field")
        raise AepValidationError("the run policy", [problem])
    if unknown := [name for name in given if name not in known]:
        # Imported here: most policies have no typo, and are read each time a DAG file is parsed.
        from airflow_provider_aep.flowservice.validation import nearest

        problems = [Problem(str(name), f"is not known{nearest(str(name), hints)}") for name in unknown]
        raise AepValidationError("the run policy", problems)
    if twice := [name for name in given if name in arguments]:
        rule = "is also given as an argument, or in default_args: give it once"
        raise AepValidationError("the run policy", [Problem(name, rule) for name in twice])
    return RunPolicy(**given, **arguments)


def worst_choice(choices: Iterable[Choice]) -> Choice:
    """The worst choice; ``skip`` only if there is no better one, and ``ok`` if there is none."""
    return max(choices, key=lambda choice: (CONCERN[choice], choice == "ok"), default="ok")


def check_choices(**given: object) -> None:
    """Refuse values that are not choices.

    :raises AepValidationError: naming each of them.
    """
    if problems := list(problems_of(dict.fromkeys(given, _CHOICE), given)):
        raise AepValidationError("the run policy", problems)


def _check(what: str, policy: RunPolicy | AuditPolicy) -> None:
    given = _changed(policy)
    if problems := list(problems_of({name: _RULES.get(name, _CHOICE) for name in given}, given)):
        raise AepValidationError(what, problems)
    for name, value in given.items():
        if isinstance(rule := _RULES.get(name), Span):
            object.__setattr__(policy, name, rule.number(value))


def _changed(policy: RunPolicy | AuditPolicy) -> dict[str, Any]:
    # Not by "==": False equals 0.0, and is no share.
    return {
        policy_field.name: value
        for policy_field in fields(policy)
        if (value := getattr(policy, policy_field.name)) is not policy_field.default
        and policy_field.name != "runs"
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPolicy:
    """What each finding means: ``fail``, ``warn``, ``skip`` or ``ok``.

    :param runs: the run policy, for each run, and for ticks whose runs are stuck or incomplete.
    :param on_missing: no run started within 150 minutes after a tick.
    :param on_late: a run started later than that.
    :param on_doubled: more runs delivered for a tick than it owes.
    :param on_unread: the runs of a dataflow could not be read.
    :param on_unreadable: a schedule cannot be read, so that a missing run would not be noticed.
    :param on_ends_soon: a schedule ends within ``ends_soon_days``, or has ended.
    :param on_standing: a problem that was reported before still holds. By default it is listed, without
        another alert.
    :param on_allowance: an allowance is used up or nearly, or will be by the forecast.
    :param on_nothing: no dataflow was selected. By default that fails: a check of nothing would always
        succeed.
    """

    runs: RunPolicy = field(default_factory=RunPolicy)
    on_missing: Choice = "fail"
    on_late: Choice = "warn"
    on_doubled: Choice = "warn"
    on_disabled: Choice = "warn"
    on_ends_soon: Choice = "warn"
    on_unread: Choice = "fail"
    on_unreadable: Choice = "warn"
    on_standing: Choice = "ok"
    on_allowance: Choice = "warn"
    on_nothing: Choice = "fail"
    ends_soon_days: int | timedelta | str = 14

    def __post_init__(self) -> None:
        _check("the check", self)

    def of_gap(self, kind: str) -> Choice:
        """The choice for a tick that is missing, incomplete, late or doubled."""
        choices: Mapping[str, Choice] = {
            "missing": self.on_missing,
            "incomplete": self.runs.on_incomplete,
            "late": self.on_late,
            "doubled": self.on_doubled,
        }
        return choices[kind]


def check_policy(given: Mapping[str, Any]) -> None:
    """Refuse arguments of ``partial`` that break a rule of the run policy, or of a check's.

    :raises AepValidationError: naming each of them.
    """
    files = ("on_missing_files", "on_unchecked_files")
    check_choices(**{name: given[name] for name in files if name in given})
    runs, own = ([part.name for part in fields(kind)] for kind in (RunPolicy, AuditPolicy))
    run_policy(given.get("run_policy"), alone={name: given[name] for name in runs if name in given})
    AuditPolicy(**{name: given[name] for name in own if name in given})


def audit_policy(given: Mapping[str, Any]) -> AuditPolicy:
    """The policy of an audit from one dict, which may also have fields of the run policy.

    :raises AepValidationError: it breaks a rule, or has a field that neither policy has.
    """
    own = {policy_field.name for policy_field in fields(AuditPolicy)} - {"runs"}
    runs = run_policy({name: value for name, value in given.items() if name not in own}, beside=own)
    return AuditPolicy(runs=runs, **{name: value for name, value in given.items() if name in own})

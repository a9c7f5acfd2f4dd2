"""Rules for arguments: declared once on a class, and checked each time an argument is set.

An argument of a task is set when the DAG is parsed and, if it is a template field, again after Airflow has
rendered it. Both values must pass the same rule, so a text that happens to be truthy never switches anything
on, and a template that renders to nothing never widens what a task reads, changes or deletes.
"""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.times import DAY, SPAN_RULE, fixed_span, read_span, span_words

# How Jinja and JSON write a missing value; the last three are empty lists and dicts.
_NOTHING = ("", "None", "null", "[]", "()", "{}")
_UNSET = object()
LONGEST_DAYS = 36_500
RENDERED_TO_NOTHING = "is empty or 'None' once it is rendered: give the template a value"


def is_template(value: object) -> bool:
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def is_later(value: object) -> bool:
    """Whether only the running task knows the value: a template, or the result of another task."""
    # Airflow also calls a function in a template field.
    return is_template(value) or hasattr(value, "iter_references") or callable(value)


def is_nothing(value: object) -> bool:
    """Whether a value is missing, as a template renders it or as a task returns it."""
    return value is None or (isinstance(value, str) and value.strip() in _NOTHING)


def as_typed(given: object, rendered: Any) -> Any:
    """``rendered``, but with texts that hold no template as they were typed.

    A DAG that renders to native objects turns every text that looks like a number into one: the name "0x10"
    becomes 16.
    """
    if isinstance(given, str):
        return given if not is_template(given) and _is_made_of(given, rendered) else rendered
    if isinstance(given, Mapping) and isinstance(rendered, Mapping):
        return {key: as_typed(given.get(key), value) for key, value in rendered.items()}
    if isinstance(given, list | tuple) and isinstance(rendered, list | tuple) and len(given) == len(rendered):
        return [as_typed(typed, value) for typed, value in zip(given, rendered, strict=True)]
    return rendered


def _is_made_of(text: str, rendered: object) -> bool:
    """Whether Airflow renders a text without a template to this value."""
    if isinstance(rendered, str) and text.splitlines() == rendered.splitlines():
        return True  # Jinja normalizes line breaks and drops the last one
    try:
        return bool(literal_eval(text) == rendered)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False


def emptied(given: object, rendered: object, place: str = "") -> Iterator[str]:
    """The places in a document whose templates and task results were rendered to nothing.

    Without this check, a name would be "None", and an empty field would silently mean its default.
    """
    if is_later(given):
        if is_nothing(rendered):
            yield place
    elif isinstance(given, Mapping) and isinstance(rendered, Mapping):
        for key, member in given.items():
            yield from emptied(member, rendered.get(key), f"{place}/{key}")
    elif isinstance(given, list | tuple) and isinstance(rendered, list | tuple):
        for index, (item, rendered_item) in enumerate(zip(given, rendered, strict=False)):
            yield from emptied(item, rendered_item, f"{place}/{index}")


class Argument:
    """An argument that is checked each time it is set; this base class only refuses empty values.

    :param optional: the author may give ``None``, which means that the argument is left out.
    """

    def __init__(self, *, optional: bool = False) -> None:
        self.optional = optional
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, task: Any, owner: type | None = None) -> Any:
        if task is None:
            return self
        try:
            return vars(task)[self.name]
        except KeyError:
            raise AttributeError(f"{type(task).__name__} has no {self.name} yet") from None

    def __set__(self, task: Any, value: Any) -> None:
        before = vars(task).get(self.name, _UNSET)
        is_rendered = is_later(before)
        if is_later(value) and not is_rendered and self.name in getattr(task, "template_fields", ()):
            vars(task)[self.name] = value
            return
        if not is_rendered and (places := list(emptied(before, value))):
            rule = RENDERED_TO_NOTHING + ", or leave it out"
            problems = [Problem(f"{self.name}{place}", rule) for place in places]
            raise AepValidationError(_arguments_of(task), problems)
        if not is_rendered:
            value = as_typed(before, value)
        if is_rendered and self.is_nothing(value):
            rule = RENDERED_TO_NOTHING + (", or leave the argument out" if self.optional else "")
        elif rule := self.broken(value):
            rule += "; it is no template field" if is_later(value) and not is_rendered else ""
        if rule:
            raise AepValidationError(_arguments_of(task), [Problem(self.name, rule)])
        vars(task)[self.name] = value if value is None else self.kept(value)

    def broken(self, value: object) -> str:
        """The rule that a value breaks; empty for a good one."""
        if value is None and self.optional:
            return ""
        if value is None:
            return "is missing"
        return self.rule_broken_by(value) or ("must not be empty" if is_nothing(value) else "")

    def is_nothing(self, value: object) -> bool:
        """Whether a rendered value is missing."""
        return is_nothing(value)

    def rule_broken_by(self, value: Any) -> str:
        """The rule that a value other than ``None`` breaks; empty for a good one."""
        return ""

    def kept(self, value: Any) -> Any:
        """A good value in the form that the task uses."""
        return value


class Text(Argument):
    """A text that names, narrows or describes something.

    :param leaves_out: a value rendered to nothing is left out: another check decides whether it is needed.
    """

    def __init__(self, *, optional: bool = False, leaves_out: bool = False) -> None:
        super().__init__(optional=optional)
        self.leaves_out = leaves_out

    def __set__(self, task: Any, value: Any) -> None:
        is_left_out = self.leaves_out and is_later(vars(task).get(self.name)) and is_nothing(value)
        if is_left_out:
            vars(task)[self.name] = None
        else:
            super().__set__(task, value)

    if TYPE_CHECKING:

        def __get__(self, task: Any, owner: type | None = None) -> str: ...

    def rule_broken_by(self, value: Any) -> str:
        # Rendering to native objects turns "2024" into a number, and "1.10" into 1.1, which is another name.
        good = isinstance(value, str | int) and not isinstance(value, bool)
        return "" if good else "must be a text"

    def kept(self, value: Any) -> str:
        return str(value)


class Id(Text):
    """The id of an entity; its characters are checked before it becomes part of a URL."""

    def rule_broken_by(self, value: Any) -> str:
        if isinstance(value, Mapping) and self.name in value:
            return f"must be an id: from the other task's result, take ['{self.name}']"
        return "" if isinstance(value, str) else "must be an id, which is a text"


class Texts(Argument):
    """A text or several of them. An empty collection from the author leaves the argument out."""

    def is_nothing(self, value: object) -> bool:
        return is_nothing(value) or (isinstance(value, Collection) and not value)

    def rule_broken_by(self, value: Any) -> str:
        several = value if isinstance(value, Collection) and not isinstance(value, str) else (value,)
        bad = isinstance(value, bytes | Mapping) or not all(
            isinstance(text, str) and not is_nothing(text) for text in several
        )
        return "must be a text or a list of texts, none of them empty" if bad else ""


class Switch(Argument):
    """True or false, also as a text, because a template renders to one."""

    def rule_broken_by(self, value: Any) -> str:
        return "" if _truth(value) is not None else "must be true or false"

    def kept(self, value: Any) -> bool:
        return bool(_truth(value))


class OneOf(Argument):
    """One of a few words."""

    def __init__(self, *words: str, optional: bool = False) -> None:
        super().__init__(optional=optional)
        self.words = words

    def rule_broken_by(self, value: Any) -> str:
        return "" if value in self.words else f"must be one of {', '.join(self.words)}"


class Number(Argument):
    """A number between two bounds.

    :param least: the smallest allowed number.
    :param most: the largest.
    :param above: every allowed number is above this one.
    :param whole: it has no fraction.
    :param unit: what it counts, as in "of seconds".
    :param told: the rule, if another wording is clearer.
    """

    def __init__(
        self,
        *,
        least: float | None = None,
        most: float | None = None,
        above: float | None = None,
        whole: bool = False,
        unit: str = "",
        told: str = "",
        optional: bool = False,
    ) -> None:
        super().__init__(optional=optional)
        self.least, self.most, self.above = least, most, above
        self.kinds: Any = int if whole else int | float
        self.what = f"a {'whole ' if whole else ''}number{f' of {unit}' if unit else ''}"
        self.wording = told

    @property
    def told(self) -> str:
        return self.wording or f"must be {self.what}{self._bounds()}"

    def rule_broken_by(self, value: Any) -> str:
        good = isinstance(value, self.kinds) and not isinstance(value, bool)
        return "" if good and self._is_within(value) else self.told

    def _is_within(self, value: float) -> bool:
        # Every condition must hold, because NaN is neither below nor above anything.
        return (
            (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
            and abs(value) != float("inf")
            and value == value
        )

    def _bounds(self) -> str:
        if self.above is not None:
            return f" above {self.above:g}" + ("" if self.most is None else f", and at most {self.most:.0f}")
        if self.least is None:
            return ""
        return (
            f", at least {self.least:g}" if self.most is None else f" from {self.least:g} to {self.most:.0f}"
        )


class Span(Number):
    """A number of seconds or days, a ``timedelta``, or an ISO 8601 duration; kept as a ``timedelta``.

    :param unit: of a number, and of the bounds.
    """

    def __init__(
        self, *, unit: Literal["seconds", "days"] = "seconds", least: float | None = 0, **bounds: Any
    ) -> None:
        super().__init__(unit=unit, least=least, **bounds)
        self.seconds = DAY if unit == "days" else 1
        self.what += f", a timedelta, or {SPAN_RULE}"

    def rule_broken_by(self, value: Any) -> str:
        try:
            return super().rule_broken_by(self.number(value)) or self._too_long(value)
        except ValueError as error:
            return self.told if isinstance(value, str) and value[:1] != "P" else str(error)

    def _too_long(self, value: Any) -> str:
        # A moment that it is added to must stay one.
        is_good = self.number(value) * self.seconds <= LONGEST_DAYS * DAY
        return "" if is_good else f"must be at most {LONGEST_DAYS} days"

    def number(self, value: Any) -> Any:
        """A span as a number of its unit; any other value unchanged.

        :raises ValueError: a text is no ISO 8601 duration, or the span has no fixed length.
        """
        if isinstance(value, str):
            value = read_span(value)
        if not isinstance(value, timedelta):
            return value
        number = fixed_span(value).total_seconds() / self.seconds
        return int(number) if number.is_integer() else number

    def _bounds(self) -> str:
        lowest = f"; above {self.above:g}" if self.above is not None else f"; at least {self.least:g}"
        return lowest + (f", at most {span_words(self.most * self.seconds, exact=True)}" if self.most else "")

    def kept(self, value: Any) -> timedelta:
        return timedelta(seconds=self.number(value) * self.seconds)


def problems_of(rules: Mapping[str, Argument], given: Mapping[str, Any]) -> Iterable[Problem]:
    """The problems of values, each checked by its rule."""
    for name, rule in rules.items():
        if broken := rule.broken(given[name]):
            yield Problem(name, broken)


def check_partial(kind: type, given: Mapping[str, Any]) -> None:
    """Check the arguments of ``partial``: Airflow creates a mapped task only when it runs.

    :raises AepValidationError: an argument breaks its rule.
    """
    templated = getattr(kind, "template_fields", ())
    known = {
        name: (rule, value)
        for name, value in given.items()
        if isinstance(rule := getattr(kind, name, None), Argument)
        and not (is_later(value) and name in templated)
    }
    problems = [
        Problem(name, broken) for name, (rule, value) in known.items() if (broken := rule.broken(value))
    ]
    if problems:
        raise AepValidationError(_arguments_of(given), problems)


def _arguments_of(task: Any) -> str:
    task_id = task.get("task_id") if isinstance(task, Mapping) else getattr(task, "task_id", None)
    return f"the arguments of task {task_id!r}" if task_id else "the arguments"


def _truth(value: object) -> bool | None:
    return {"true": True, "false": False}.get(str(value).strip().lower())

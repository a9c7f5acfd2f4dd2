"""The texts of alerts: the usual text of each status, or the DAG author's own. Both are Jinja templates.

An author's text must never cost an alert: one that is not a template is refused when the DAG is parsed, and
one that cannot be rendered for an alert is replaced by the usual text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

from airflow_provider_aep.errors import AepConfigError
from airflow_provider_aep.monitoring.words import cut

# status of the verdict -> text. "error" is a task that failed without a verdict, "late" one that was not done
# at a deadline; "gaps", "warning" and "allowance" come from a check.
MESSAGES: Mapping[str, str] = {
    "failed": "AEP export {{ verdict.dataflow_name }} failed: {{ verdict.reason }}",
    "unknown": "AEP export {{ verdict.dataflow_name }} ended in an unknown way: {{ verdict.reason }}",
    "partial": "AEP export {{ verdict.dataflow_name }} is incomplete: {{ verdict.reason }}",
    "zero_records": "AEP export {{ verdict.dataflow_name }} is empty: {{ verdict.reason }}",
    "low_records": "AEP export {{ verdict.dataflow_name }} is small: {{ verdict.reason }}",
    "missing_files": "AEP export {{ verdict.dataflow_name }} lacks files: {{ verdict.reason }}",
    "unchecked_files": "AEP export {{ verdict.dataflow_name }} was not counted: {{ verdict.reason }}",
    "unknown_records": "AEP export {{ verdict.dataflow_name }} is of unknown size: {{ verdict.reason }}",
    "incomplete": "AEP export {{ verdict.dataflow_name }} lacks a dataset: {{ verdict.reason }}",
    "stuck": "AEP export {{ verdict.dataflow_name }} is stuck: {{ verdict.reason }}",
    "slow": "AEP export {{ verdict.dataflow_name }} is slow: {{ verdict.reason }}",
    "recovered": "AEP export {{ verdict.dataflow_name }} has recovered: {{ verdict.reason }}",
    "success": "AEP export {{ verdict.dataflow_name }} is fine: {{ verdict.reason }}",
    "late": "AEP export {{ verdict.dataflow_name }} is late: {{ verdict.reason }}",
    "gaps": "AEP export {{ verdict.dataflow_name }} missed runs: {{ verdict.reason }}",
    "warning": "AEP export {{ verdict.dataflow_name }}: {{ verdict.reason }}",
    "allowance": "AEP allowance {{ verdict.dataflow_name }} in sandbox {{ verdict.sandbox }}: "
    "{{ verdict.reason }}",
    "nothing": "AEP exports were not checked: {{ verdict.reason }}",
    "error": "AEP export could not be watched: {{ exception }}",
}
# The usual text of "error" for a task that watches nothing, such as one that ensures exports.
OF_ANOTHER_TASK = "AEP task {{ verdict.task }} failed: {{ exception }}"
# Statuses that are not bad news.
GOOD = frozenset({"success", "recovered"})
USUAL = tuple(status for status in MESSAGES if status != "success")
LONGEST_TEXT = 3_000  # characters of a rendered text, beyond which it is cut


def check_statuses(on: object) -> tuple[str, ...]:
    """The statuses in ``on``, which may be a single one.

    :raises AepConfigError: one is not the status of any alert, or ``on`` is empty.
    """
    given = [on] if isinstance(on, str) else list(on) if isinstance(on, Collection) else []
    if not given:
        raise AepConfigError(f"on must name one status at least, of {', '.join(MESSAGES)}")
    _refuse_unknown("on", given)
    return tuple(map(str, given))


def check_messages(messages: object) -> None:
    """:raises AepConfigError: not a dict of texts by status, or a text is empty or not a Jinja template."""
    from jinja2 import Environment, TemplateSyntaxError

    if not isinstance(messages, Mapping):
        raise AepConfigError("messages must be a dict of a text for each status")
    _refuse_unknown("messages", messages)
    for status, text in messages.items():
        if not isinstance(text, str) or not text.strip():
            raise AepConfigError(f"the message for {status!r} must be a text, and not an empty one")
        try:
            # Only extensions change what Jinja can parse, and "do" is the one that Airflow adds.
            Environment(extensions=["jinja2.ext.do"], autoescape=False).parse(text)  # noqa: S701
        except TemplateSyntaxError as error:
            if str(error.message).startswith("Encountered unknown tag"):
                continue  # the DAG may add an extension that knows it
            raise AepConfigError(
                f"the message for {status!r} is not a template: {error.message}, in line {error.lineno}"
            ) from None


def _refuse_unknown(argument: str, given: Iterable[object]) -> None:
    if unknown := [str(name) for name in given if not isinstance(name, str) or name not in MESSAGES]:
        # Imported here: a DAG file without a mistake does not pay for it.
        from airflow_provider_aep.flowservice.validation import nearest

        named = ", ".join(f"{status!r}{nearest(status, MESSAGES)}" for status in unknown)
        raise AepConfigError(f"{argument} names {named}: it must be of {', '.join(MESSAGES)}")


def text_of(
    notifier: Any, status: str, verdict: Mapping[str, Any], context: Any, *, watches: bool = True
) -> str:
    """The text of an alert: the notifier's own, or else the usual one; never empty, and cut if too long.

    :param watches: whether the task waits for runs or checks them.
    """
    own = notifier.messages.get(status)
    usual = MESSAGES[status] if watches or status != "error" else OF_ANOTHER_TASK
    for template, whose in ((own, "own"), (usual, "usual")):
        if template is None:
            continue
        try:
            text = _rendered(notifier, template, verdict, context)
        except Exception as error:
            notifier.log.error(
                "The %s text for an alert of status %s could not be rendered: %s", whose, status, _why(error)
            )
            continue
        if len(text) > LONGEST_TEXT:
            notifier.log.warning(
                "The %s text for an alert of status %s was cut: it has %s characters",
                whose,
                status,
                len(text),
            )
            return cut(text, LONGEST_TEXT)
        if text.strip():
            return text
        notifier.log.warning("The %s text for an alert of status %s was rendered to nothing", whose, status)
    return f"AEP export {verdict.get('dataflow_name') or ''} {status}: {verdict.get('reason') or ''}"


@contextmanager
def lent(context: Any, **values: Any) -> Iterator[None]:
    """Put values into a context for a while, and restore it for the callbacks after this one."""
    # Not a copy: that would evaluate the lazy values of Airflow 2's context.
    before = {name: context[name] for name in values if name in context}
    try:
        for name, value in values.items():
            context[name] = value
        yield
    finally:
        for name in values:
            if name in before:
                context[name] = before[name]
            else:
                _forget(context, name)


def _rendered(notifier: Any, template: str, verdict: Mapping[str, Any], context: Any) -> str:
    dag = context.get("dag")
    environment = notifier.get_template_env(dag=dag if hasattr(dag, "get_template_env") else None)
    # Airflow 2 requires a DAG, which a deadline lacks.
    with lent(context, verdict=verdict, dag=dag):
        return str(notifier.render_template(template, context, environment))


def _forget(context: MutableMapping[str, Any], name: str) -> None:
    if name in context:
        del context[name]


def _why(error: Exception) -> str:
    from jinja2 import TemplateError

    from airflow_provider_aep.errors import without_words

    # Jinja's messages name what is undefined; those of other errors may quote anything.
    own = isinstance(error, TemplateError)
    return f"{type(error).__name__}: {str(error)[:200]}" if own else without_words(error)

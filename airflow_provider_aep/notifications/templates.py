"""The texts of alerts as people write them: Jinja, checked when the DAG is parsed."""

from __future__ import annotations

from jinja2 import Environment, TemplateSyntaxError

from airflow_provider_aep.errors import AepConfigError


def check_template(status: str, text: object) -> None:
    """Refuse a message that could not be rendered when it matters.

    Filters and tests of a DAG's own are known only later, so their names are not checked.

    :raises AepConfigError: it is no text, or breaks a rule of Jinja.
    """
    if not isinstance(text, str) or not text.strip():
        raise AepConfigError(f"the message for {status!r} must be a text, and not an empty one")
    try:
        Environment(autoescape=True).parse(text)
    except TemplateSyntaxError as error:
        raise AepConfigError(
            f"the message for {status!r} is no template: {error.message}, in its line {error.lineno}"
        ) from error

"""Where alerts go: the log, or people, through the hooks of Airflow's own providers.

A channel is a word or a dict, so that it fits into a DAG file and into the arguments of a deadline alert,
which Airflow stores. Addresses and tokens stay in Airflow connections.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_aep.errors import AepConfigError, AepError, AepValidationError, Problem

if TYPE_CHECKING:
    from airflow_provider_aep.monitoring.alerts import Message

SILENT = logging.getLogger(f"{__name__}.silent")
# Not `disabled`: Airflow configures logging more than once, and each time enables every logger there is.
SILENT.addFilter(lambda record: False)
SECONDS = 10.0  # for an answer; a DAG callback holds up the DAG processor


@dataclass(frozen=True, slots=True, kw_only=True)
class LogChannel:
    """The log of the task, or of the process that runs a DAG's callback."""

    provider: ClassVar[str | None] = None

    def deliver(self, message: Message, log: Any) -> None:
        from airflow_provider_aep.monitoring.alert_formats import as_line

        good = all(alert.status == "success" for alert in message.alerts)
        (log.info if good else log.error)("%s", as_line(message))


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailChannel:
    """An e-mail, through the SMTP provider.

    :param to: one address, or several.
    :param from_email: by default the one of the connection.
    """

    provider: ClassVar[str | None] = "smtp"
    to: str | Sequence[str]
    from_email: str | None = None
    smtp_conn_id: str = "smtp_default"

    def deliver(self, message: Message, log: Any) -> None:
        from airflow.providers.smtp.hooks.smtp import SmtpHook

        from airflow_provider_aep.monitoring.alert_formats import as_html

        with SmtpHook(smtp_conn_id=self.smtp_conn_id) as hook:
            hook.send_email_smtp(
                to=self.to if isinstance(self.to, str) else list(self.to),
                subject=message.title[:200],
                html_content=as_html(message),
                from_email=self.from_email,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackChannel:
    """A message in Slack, through the Slack provider: by an incoming webhook, or by a bot.

    :param slack_webhook_conn_id: the connection of an incoming webhook, used when no ``channel`` is given.
    :param channel: where the bot of ``slack_conn_id`` posts.
    """

    provider: ClassVar[str | None] = "slack"
    slack_webhook_conn_id: str = "slack_default"
    slack_conn_id: str = "slack_api_default"
    channel: str | None = None

    def deliver(self, message: Message, log: Any) -> None:
        from airflow_provider_aep.monitoring.alert_formats import as_slack, slack_text

        text, blocks = slack_text(message.title), as_slack(message)
        if self.channel:
            from airflow.providers.slack.hooks.slack import (
                SlackHook,
            )

            bot = SlackHook(slack_conn_id=self.slack_conn_id, timeout=int(SECONDS))
            bot.call("chat.postMessage", json={"channel": self.channel, "text": text, "blocks": blocks})
            return
        from airflow.providers.slack.hooks.slack_webhook import (
            SlackWebhookHook,
        )

        hook = SlackWebhookHook(slack_webhook_conn_id=self.slack_webhook_conn_id, timeout=int(SECONDS))
        hook.send(text=text, blocks=blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookChannel:
    """A POST of JSON, through the HTTP provider.

    :param http_conn_id: address and headers; its whole address is treated as a secret.
    :param endpoint: appended to the connection's address.
    """

    provider: ClassVar[str | None] = "http"
    http_conn_id: str
    endpoint: str | None = None

    def deliver(self, message: Message, log: Any) -> None:
        from airflow.providers.common.compat.sdk import mask_secret
        from airflow.providers.http.hooks.http import HttpHook

        class QuietHook(HttpHook):
            """Its log would quote the address of a server out of reach; who knows a webhook's may post."""

            log: Any = SILENT

        hook = QuietHook(method="POST", http_conn_id=self.http_conn_id)
        path = hook.url_from_endpoint(self.endpoint).partition("://")[2].partition("/")[2]
        if path:
            mask_secret(path)
        answer = hook.run(
            self.endpoint,
            json=message.to_json(),
            extra_options={"timeout": SECONDS, "check_response": False},
        )
        if answer.status_code >= 400:
            raise AepError(f"the webhook answered {answer.status_code}")


Channel = LogChannel | EmailChannel | SlackChannel | WebhookChannel
KINDS: Mapping[str, type[Channel]] = {
    "log": LogChannel,
    "email": EmailChannel,
    "slack": SlackChannel,
    "webhook": WebhookChannel,
}


def parse_channels(given: Sequence[str | Mapping[str, Any]]) -> tuple[Channel, ...]:
    """Channels as a DAG file gives them: ``"log"``, or ``{"type": "email", "to": "team@example.com"}``.

    :raises AepValidationError: a channel is of no known type, or one of its fields is missing or unknown.
    :raises AepConfigError: the provider that a channel goes through is not installed.
    """
    if isinstance(given, str | Mapping):
        given = [given]
    problems: list[Problem] = []
    channels = []
    for place, one in enumerate(given):
        fields_given = {"type": one} if isinstance(one, str) else dict(one)
        kind = KINDS.get(str(fields_given.pop("type", None)))
        if kind is None:
            problems.append(Problem(f"/channels/{place}/type", f"must be one of {', '.join(KINDS)}"))
            continue
        broken = list(_problems(kind, fields_given, f"/channels/{place}"))
        problems += broken
        if not broken:
            _need_provider(kind)
            channels.append(kind(**fields_given))
    if problems:
        raise AepValidationError("the notifier", problems)
    return tuple(channels)


def _problems(kind: type[Channel], given: Mapping[str, Any], where: str) -> list[Problem]:
    known = {each.name: each for each in fields(kind)}
    missing = [name for name, each in known.items() if each.default is MISSING and not given.get(name)]
    return [
        *(Problem(f"{where}/{name}", "is missing") for name in missing),
        *(
            Problem(f"{where}/{name}", f"is not known; there are {', '.join(known) or 'no fields'}")
            for name in given.keys() - known.keys()
        ),
    ]


def _need_provider(kind: type[Channel]) -> None:
    # Looked up, not imported: a DAG file is parsed every few seconds.
    if kind.provider and find_spec(f"airflow.providers.{kind.provider}") is None:
        raise AepConfigError(
            f"a channel of type {next(name for name, one in KINDS.items() if one is kind)} goes through "
            f"apache-airflow-providers-{kind.provider}, which is not installed"
        )

"""Where alerts go: the log, or people, through the hooks of Airflow's own providers.

A channel is a word or a dict, so that it can be written in a DAG file and in the arguments of a deadline
alert, which Airflow stores. Addresses and tokens stay in Airflow connections.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_aep.errors import AepConfigError, AepValidationError, Problem

if TYPE_CHECKING:
    from airflow_provider_aep.monitoring.alert_messages import Message

# The modules that a lookup of a connection imports, on Airflow 2 and on Airflow 3.
_LOOKUP = ("airflow.models.connection", "airflow.sdk.definitions.connection")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogChannel:
    """The log of the task, or of the process that runs a DAG's callback."""

    provider: ClassVar[str | None] = None

    @property
    def target(self) -> tuple[object, ...]:
        return ("log",)

    @property
    def label(self) -> str:
        return "log"

    def write(self, message: Message, log: Any) -> None:
        from airflow_provider_aep.monitoring.alert_formats import as_line

        (log.info if message.severity == "info" else log.error)("%s", as_line(message))


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailChannel:
    """An e-mail, as HTML and as plain text, through the SMTP provider.

    :param to: one address, or several.
    :param from_email: the sender; by default that of the connection.
    """

    provider: ClassVar[str | None] = "smtp"
    modules: ClassVar[tuple[str, ...]] = (
        *_LOOKUP,
        "airflow.providers.smtp.hooks.smtp",
        "airflow_provider_aep.notifications.mailing",
    )
    to: str | Sequence[str]
    from_email: str | None = None
    smtp_conn_id: str = "smtp_default"

    @property
    def target(self) -> tuple[object, ...]:
        to = self.to.replace(";", ",").split(",") if isinstance(self.to, str) else self.to
        return "email", self.smtp_conn_id, frozenset(address.strip().lower() for address in to)

    @property
    def label(self) -> str:
        return f"email (connection {self.smtp_conn_id})"

    def deliver(self, message: Message, *, seconds: float) -> None:
        from airflow_provider_aep.notifications.mailing import send_mail

        to = self.to if isinstance(self.to, str) else list(self.to)
        send_mail(message, self.smtp_conn_id, to=to, from_email=self.from_email, seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackChannel:
    """A message in Slack, through the Slack provider: by an incoming webhook, or by a bot.

    :param slack_webhook_conn_id: the connection of an incoming webhook, used when no ``channel`` is given.
    :param channel: where the bot of ``slack_conn_id`` posts.
    """

    provider: ClassVar[str | None] = "slack"
    modules: ClassVar[tuple[str, ...]] = (
        *_LOOKUP,
        "airflow.providers.slack.hooks.slack",
        "airflow.providers.slack.hooks.slack_webhook",
        "airflow_provider_aep.notifications.posting",
    )
    slack_webhook_conn_id: str = "slack_default"
    slack_conn_id: str = "slack_api_default"
    channel: str | None = None

    @property
    def target(self) -> tuple[object, ...]:
        return "slack", self.conn_id, self.channel

    @property
    def conn_id(self) -> str:
        return self.slack_conn_id if self.channel else self.slack_webhook_conn_id

    @property
    def label(self) -> str:
        return f"slack (connection {self.conn_id}{f', channel {self.channel}' if self.channel else ''})"

    def deliver(self, message: Message, *, seconds: float) -> None:
        from airflow_provider_aep.notifications.posting import post_to_slack

        post_to_slack(message, self.conn_id, room=self.channel, seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookChannel:
    """A POST of JSON, through the HTTP provider.

    :param http_conn_id: address and headers; its whole address is treated as a secret.
    :param endpoint: appended to the connection's address.
    """

    provider: ClassVar[str | None] = "http"
    modules: ClassVar[tuple[str, ...]] = (
        *_LOOKUP,
        "airflow.providers.http.hooks.http",
        "airflow_provider_aep.notifications.posting",
    )
    http_conn_id: str
    endpoint: str | None = None

    @property
    def target(self) -> tuple[object, ...]:
        # Both kinds may go to one address: a workflow of Teams does not read our JSON.
        return type(self).__name__, self.http_conn_id, self.endpoint

    @property
    def label(self) -> str:
        return f"webhook (connection {self.http_conn_id})"

    def deliver(self, message: Message, *, seconds: float) -> None:
        from airflow_provider_aep.notifications.posting import post

        post(self.http_conn_id, self.endpoint, message.to_json(), seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamsChannel(WebhookChannel):
    """An Adaptive Card in Microsoft Teams, through the HTTP provider: by the webhook of a workflow.

    :param http_conn_id: the address of the workflow, which holds its signature.
    """

    @property
    def label(self) -> str:
        return f"teams (connection {self.http_conn_id})"

    def deliver(self, message: Message, *, seconds: float) -> None:
        from airflow_provider_aep.monitoring.alert_formats import as_teams
        from airflow_provider_aep.notifications.posting import post

        post(self.http_conn_id, self.endpoint, as_teams(message), seconds=seconds)


Channel = LogChannel | EmailChannel | SlackChannel | WebhookChannel | TeamsChannel
KINDS: Mapping[str, type[Channel]] = {
    "log": LogChannel,
    "email": EmailChannel,
    "slack": SlackChannel,
    "webhook": WebhookChannel,
    "teams": TeamsChannel,
}


def parse_channels(given: Any) -> tuple[Channel, ...]:
    """Channels as a DAG file gives them: ``"log"``, or ``{"type": "email", "to": "team@example.com"}``.

    :raises AepValidationError: a channel has an unknown type, one of its fields is missing, unknown or not
        text, or it has the same target as another one.
    :raises AepConfigError: the provider that a channel needs is not installed.
    """
    if isinstance(given, str | Mapping):
        given = [given]
    if not (isinstance(given, Collection) and given):
        # Without a channel, nobody would ever see an alert.
        raise AepValidationError("the notifier", [Problem("/channels", "must name one channel at least")])
    problems: list[Problem] = []
    channels: dict[int, Channel] = {}
    for place, channel_given in enumerate(given):
        where = f"/channels/{place}"
        if not isinstance(channel_given, str | Mapping):
            problems.append(Problem(where, "must be a word or a dict with type"))
            continue
        fields_given = {"type": channel_given} if isinstance(channel_given, str) else dict(channel_given)
        name = str(fields_given.pop("type", None))
        kind = KINDS.get(name)
        if kind is None:
            from airflow_provider_aep.flowservice.validation import nearest

            rule = f"must be one of {', '.join(KINDS)}{nearest(name, KINDS)}"
            problems.append(Problem(f"{where}/type", rule))
            continue
        if broken := list(_problems(kind, fields_given, where)):
            problems += broken
            continue
        _need_provider(name, kind)
        channel = kind(**fields_given)
        for earlier, other in channels.items():
            if other.target == channel.target:
                rule = f"goes where /channels/{earlier} goes already, so that each alert would arrive twice"
                problems.append(Problem(where, rule))
        channels[place] = channel
    if problems:
        raise AepValidationError("the notifier", problems)
    return tuple(channels.values())


def _problems(kind: type[Channel], given: Mapping[str, Any], where: str) -> list[Problem]:
    known = {field.name: field for field in fields(kind)}
    missing = [name for name, field in known.items() if field.default is MISSING and not given.get(name)]
    optional = {name for name, field in known.items() if field.default is None}
    return [
        *(Problem(f"{where}/{name}", "is missing") for name in missing),
        *(
            Problem(f"{where}/{name}", f"is not known; there are {', '.join(known) or 'no fields'}")
            for name in given.keys() - known.keys()
        ),
        *(
            Problem(f"{where}/{name}", rule)
            for name in given.keys() & known.keys() - set(missing)
            if not (given[name] is None and name in optional) and (rule := _broken_rule(name, given[name]))
        ),
    ]


def _broken_rule(name: str, value: object) -> str | None:
    """The rule that a field of a channel breaks, if any; its value may be a secret, and is never quoted."""
    several = name == "to"
    texts: Sequence[Any] = value if several and isinstance(value, list | tuple) else [value]
    if several and isinstance(value, str):
        texts = value.replace(";", ",").split(",")
    if not all(isinstance(text, str) and text.strip() for text in texts):
        return f"must be text{' or a list of texts' if several else ''}, and not an empty one"
    if not all(str(text).isprintable() for text in texts):
        return "must be one line"
    if name.endswith("conn_id") and "://" in str(value):
        # The address would appear in logs, and anybody who knows that of a webhook may post to it.
        return "must be the id of an Airflow connection, which holds the address"
    return None


def _need_provider(name: str, kind: type[Channel]) -> None:
    # Looked up, not imported: a DAG file is parsed every few seconds.
    if kind.provider and find_spec(f"airflow.providers.{kind.provider}") is None:
        raise AepConfigError(
            f"a channel of type {name} goes through apache-airflow-providers-{kind.provider}, which is not "
            f"installed: pip install 'airflow-provider-aep[{name if name == 'teams' else kind.provider}]'"
        )

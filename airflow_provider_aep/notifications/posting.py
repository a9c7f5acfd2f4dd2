"""HTTP: a POST to a webhook, and Slack, through the hooks of Airflow's own providers.

Anybody who knows the address of a webhook may post to it, so errors quote neither addresses nor responses.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_aep.errors import AepConfigError
from airflow_provider_aep.flowservice.failures import seconds_to_wait
from airflow_provider_aep.notifications.delivery import AepUndeliveredError
from airflow_provider_aep.times import span_words

if TYPE_CHECKING:
    from airflow_provider_aep.monitoring.alert_messages import Message

# Without a charset Teams is said to count two bytes for each character, which halves its limit.
JSON_HEADERS = {"Content-Type": "application/json; charset=utf-8"}
SILENT = logging.getLogger(f"{__name__}.silent")
# Not `disabled`: Airflow configures logging more than once, and each time enables all existing loggers.
SILENT.addFilter(lambda record: False)


def need_connection(conn_id: str) -> None:
    """:raises AepConfigError: Airflow has no such connection, or it cannot be read."""
    from airflow_provider_aep._airflow import AirflowNotFoundException, BaseHook

    try:
        BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise AepConfigError(f"there is no Airflow connection {conn_id!r}") from None
    except Exception as error:
        # On 3.3 a refusal by the supervisor raises an error of another class.
        raise AepConfigError(
            f"Airflow connection {conn_id!r} cannot be read: {type(error).__name__}"
        ) from None


def post(conn_id: str, endpoint: str | None, body: Mapping[str, Any], *, seconds: float) -> None:
    """POST JSON to the address of a connection. Redirects are not followed.

    :param seconds: for the connection, and for the response.
    :raises AepUndeliveredError: it was not taken.
    """
    from airflow.providers.http.hooks.http import HttpHook

    from airflow_provider_aep._airflow import mask_secret

    need_connection(conn_id)

    class QuietHook(HttpHook):
        """Without a log, which would quote the address of an unreachable server."""

        log: Any = SILENT

    hook = QuietHook(method="POST", http_conn_id=conn_id)
    path = hook.url_from_endpoint(endpoint).partition("://")[2].partition("/")[2]
    if path:
        mask_secret(path)
    # The body of the response is not read: it is not needed, and might never end.
    options = {"timeout": seconds, "check_response": False, "allow_redirects": False, "stream": True}
    try:
        response = hook.run(endpoint, headers=JSON_HEADERS, json=body, extra_options=options)
    except OSError as error:  # the base class of all errors of requests
        raise _no_answer(error, seconds) from None
    response.close()
    _judge(response.status_code, response.headers)


def post_to_slack(message: Message, conn_id: str, *, room: str | None, seconds: float) -> None:
    """Post to Slack by a bot or by an incoming webhook.

    :param room: the channel in Slack where the bot posts; ``None`` for an incoming webhook, which has one.
    :raises AepUndeliveredError: it was not taken.
    """
    from airflow_provider_aep.monitoring.alert_formats import as_slack

    body = as_slack(message)
    timeout = max(1, int(seconds))
    try:
        if room:
            _by_bot(conn_id, {"channel": room, **body}, timeout)
        else:
            _by_webhook(conn_id, body, timeout)
    except Exception as error:
        # A response that breaks off in its first line raises no OSError.
        if isinstance(error, OSError) or "HTTPException" in _kinds(error):
            raise _no_answer(error, seconds) from None
        raise


def _by_bot(conn_id: str, body: Mapping[str, Any], timeout: int) -> None:
    from airflow.providers.slack.hooks.slack import SlackHook
    from slack_sdk.errors import SlackApiError

    need_connection(conn_id)
    bot = SlackHook(slack_conn_id=conn_id, timeout=timeout, retry_handlers=[])
    try:
        bot.call("chat.postMessage", json=body)
    except SlackApiError as error:
        response: Any = error.response
        _judge(getattr(response, "status_code", None), getattr(response, "headers", None) or {})
        word = response.get("error") if hasattr(response, "get") else None
        raise AepUndeliveredError(f"Slack answered {word or 'with something that is not JSON'}") from None


def _by_webhook(conn_id: str, body: Mapping[str, Any], timeout: int) -> None:
    from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook

    need_connection(conn_id)
    hook = SlackWebhookHook(slack_webhook_conn_id=conn_id, timeout=timeout, retry_handlers=[])
    response = hook.client.send(text=body["text"], attachments=body["attachments"])
    _judge(response.status_code, response.headers)
    if not _says_ok(response.body):
        # Slack's client follows redirects, and then sends a GET: the server that answered got no message.
        raise AepUndeliveredError(
            f"it answered {response.status_code} without Slack's ok, as after a redirect",
            status=response.status_code,
        )


def _says_ok(body: str) -> bool:
    if body.strip().lower() in ("ok", ""):
        return True
    try:
        document = json.loads(body)
    except ValueError:
        return False
    # Other services that accept Slack's messages answer in this form.
    return isinstance(document, dict) and (document.get("ok") is True or document.get("success") is True)


def _judge(status: int | None, headers: Mapping[str, str]) -> None:
    if status is None or 200 <= status < 300:
        return
    if status < 400:
        raise AepUndeliveredError(f"it answered {status}, a redirect, which is not followed", status=status)
    asked = {name.lower(): value for name, value in headers.items()}.get("retry-after")
    raise AepUndeliveredError(
        f"it answered {status}",
        status=status,
        again=status == 429 or status >= 500,
        wait_seconds=seconds_to_wait(_text(asked), time.time()) or 0.0,
    )


def _text(header: Any) -> str | None:
    header = header[0] if isinstance(header, list) and header else header
    return str(header) if header else None


def _kinds(error: Exception) -> set[str]:
    # By name, because the libraries may not be installed.
    return {kind.__name__ for kind in type(error).__mro__}


def _no_answer(error: Exception, seconds: float) -> AepUndeliveredError:
    names = _kinds(error)
    reason = getattr(error, "reason", None)  # of urllib's URLError
    if "ReadTimeout" in names or isinstance(error, TimeoutError) or isinstance(reason, TimeoutError):
        return AepUndeliveredError(f"no answer within {span_words(seconds)}")
    # Refused, reset, cut off, or an unknown host name: a later attempt may succeed.
    return AepUndeliveredError("it cannot be reached, or broke off", again=True)

"""How a message of alerts looks: in a log, in an e-mail, in Slack.

Slack's limits: 50 blocks in a message, 3,000 characters in a section (Slack's Block Kit reference, read
2026-11). ``SHOWN`` alerts and ``EXPLAINED`` codes of limited length stay below both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from airflow_provider_aep.monitoring.alerts import Alert, Message
from airflow_provider_aep.monitoring.run_codes import explain

SHOWN = 20  # alerts in full; the others are counted
EXPLAINED = 10  # codes
LONGEST = 400  # characters of a sentence, beyond which it is cut
LONGEST_LINK = 400
LONGEST_SECTION = 3000


def as_line(message: Message) -> str:
    """One line of a log about a message of one alert; any number of lines about more."""
    if len(message.alerts) > 1:
        return as_text(message)
    (alert,) = message.alerts
    parts = [
        alert.text,
        alert.dataflow_url or "no link",
        alert.numbers,
        _why(alert),
        *_explained(message),
        alert.task_url,
    ]
    return " | ".join(filter(None, parts))


def as_text(message: Message) -> str:
    """Plain text."""
    lines = [] if len(message.alerts) == 1 else [message.title, ""]
    for alert in message.alerts[:SHOWN]:
        lines.append(f"- {_cut(alert.text)}")
        links = (f"{name}: {url}" for name, url in _links(alert))
        lines += [f"  {fact}" for fact in (alert.numbers, _why(alert), *links)]
    lines += _more(message)
    lines += [f"* {each}" for each in _explained(message)]
    if message.airflow_url:
        lines.append(f"DAG run: {message.airflow_url}")
    return "\n".join(line for line in lines if line.strip() or not line)


def as_html(message: Message) -> str:
    """The body of an e-mail."""
    parts = [f"<h3>{escape(_cut(message.title))}</h3>"]
    for alert in message.alerts[:SHOWN]:
        words = f"<b>{escape(_cut(alert.text))}</b>" if len(message.alerts) > 1 else ""
        links = " &middot; ".join(f'<a href="{escape(url)}">{name}</a>' for name, url in _links(alert))
        facts = (words, escape(alert.numbers), escape(_why(alert)), links)
        parts.append(f"<p>{'<br>'.join(filter(None, facts))}</p>")
    parts += [f"<p>{each}</p>" for each in _more(message)]
    if explained := "".join(f"<li>{escape(each)}</li>" for each in _explained(message)):
        parts.append(f"<ul>{explained}</ul>")
    if _is_web(message.airflow_url):
        parts.append(f'<p><a href="{escape(str(message.airflow_url))}">DAG run in Airflow</a></p>')
    return "\n".join(parts)


def as_slack(message: Message) -> list[dict[str, Any]]:
    """The blocks of a message in Slack."""
    return [
        {"type": "section", "text": {"type": "mrkdwn", "text": text[:LONGEST_SECTION], "verbatim": True}}
        for text in _slack_sections(message)
    ]


def as_teams(message: Message) -> dict[str, Any]:
    """The body of a POST to a workflow of Microsoft Teams: an Adaptive Card."""
    blocks = [{"type": "TextBlock", "text": _cut(message.title), "weight": "Bolder", "wrap": True}]
    blocks.append({"type": "TextBlock", "text": as_text(message), "wrap": True})
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "content": card}]}


def slack_text(text: str) -> str:
    """Words as Slack shows them: what Slack would read as markup is shown as it is."""
    # & < > as Slack asks for. It knows no escape for the marks of bold, italic, struck out and code, which
    # count at the edges of words only: there a blank of no width keeps them from counting.
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"(?<![^\W_])[*_~`]|[*_~`](?![^\W_])", "\u200b\\g<0>\u200b", plain)


def _slack_sections(message: Message) -> Iterator[str]:
    yield f"*{slack_text(_cut(message.title))}*"
    for alert in message.alerts[:SHOWN]:
        words = slack_text(_cut(alert.text)) if len(message.alerts) > 1 else ""
        links = "  ".join(f"<{_slack_url(url)}|{name}>" for name, url in _links(alert))
        section = "\n".join(filter(None, (words, alert.numbers, slack_text(_why(alert)), links)))
        # Never cut within a link: then it goes without.
        if section := section if len(section) <= LONGEST_SECTION else words:
            yield section
    yield from _more(message)
    for each in _explained(message):
        yield slack_text(_cut(each))
    if _is_web(message.airflow_url):
        yield f"<{_slack_url(str(message.airflow_url))}|DAG run in Airflow>"


def _why(alert: Alert) -> str:
    return f"Why: {_cut(alert.cause)}" if alert.cause else ""


def _slack_url(url: str) -> str:
    return url.replace("&", "&amp;").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")


def _links(alert: Alert) -> list[tuple[str, str]]:
    links = (("Dataflow", alert.dataflow_url), ("Airflow task", alert.task_url))
    return [(name, str(url)) for name, url in links if _is_web(url)]


def _is_web(url: str | None) -> bool:
    return bool(url) and str(url).startswith(("https://", "http://")) and len(str(url)) <= LONGEST_LINK


def _explained(message: Message) -> list[str]:
    """Each of Adobe's codes once: with its first message, what it means, and what to do."""
    said: dict[str, str] = {}
    for alert in message.alerts:
        for error in alert.errors:
            said.setdefault(error["code"], error["message"])
    lines = []
    for code in message.codes[:EXPLAINED]:
        known = explain(code)
        lines.append(_cut(f"{code} ({_cut(said[code], 120)}): {known.meaning} {known.advice}"))
    if len(message.codes) > EXPLAINED:
        lines.append(f"and {len(message.codes) - EXPLAINED} more codes")
    return lines


def _more(message: Message) -> Sequence[str]:
    left = len(message.alerts) - SHOWN
    return [f"and {left:,} more"] if left > 0 else []


def _cut(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."

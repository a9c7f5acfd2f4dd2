"""The formats of a message of alerts: log, e-mail, Slack, Microsoft Teams.

Slack accepts 50 blocks and 100 attachments in a message, and 3,000 characters in a section (Block Kit
reference). It refuses blocks of some 13,200 characters together as ``msg_blocks_too_long``, which is not
documented (slackapi/bolt-js issue 2509). Severity is a colour, which only attachments have. Teams accepts at
most 28 KB in a message (Microsoft's limits of incoming webhooks). Gmail hides what follows the first 102 KB
of HTML. Read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from airflow_provider_aep.monitoring.alert_messages import Message
from airflow_provider_aep.monitoring.alerts import Alert
from airflow_provider_aep.monitoring.sizes import fitting, json_size
from airflow_provider_aep.monitoring.words import CUT, cut

SHOWN = 20  # alerts in full; the others are counted
EXPLAINED = 10  # codes
LONGEST = 400  # characters of a sentence, beyond which it is cut
LONGEST_LINK = 400
LONGEST_SECTION = 3000
MOST_SLACK_CHARACTERS = 12_000  # of all blocks together
MOST_MAIL_BYTES = 90_000
MOST_TEAMS_BYTES = 24_000
# Readable on white and on black.
COLOURS: Mapping[str, str] = {
    "critical": "#c62828",
    "error": "#d9480f",
    "warning": "#b7791f",
    "info": "#2e8b57",
}
# Adaptive Cards know colours by name.
TEAMS_COLOURS: Mapping[str, str] = {
    "critical": "attention",
    "error": "attention",
    "warning": "warning",
    "info": "good",
}


def as_line(message: Message) -> str:
    """A message for a log: one line for a single alert, otherwise as many as needed."""
    if len(message.alerts) > 1:
        return as_text(message)
    (alert,) = message.alerts
    facts = [f"{name}: {value}" for name, value in _facts(alert)]
    links = [f"{name}: {url}" for name, url in _links(alert)]
    parts = [cut(alert.text, LONGEST * 10), *facts, *_explained(message), *links]
    return " | ".join(filter(None, parts))


def as_text(message: Message) -> str:
    """Plain text."""
    lines = [] if len(message.alerts) == 1 else [cut(message.title, LONGEST), ""]
    end = [f"* {line}" for line in _explained(message)]
    if _is_web(message.airflow_url):
        end.append(f"DAG run: {message.airflow_url}")
    room = MOST_MAIL_BYTES - sum(map(_bytes, [*lines, *end]))
    shown = fitting(map(_text_section, message.alerts[:SHOWN]), room, size=_bytes)
    return "\n".join([*lines, *shown, *_more(message, len(shown)), *end])


def as_html(message: Message) -> str:
    """The body of an e-mail. It loads nothing, and leaves text and background colours to the mail program."""
    end = [f"<li>{escape(line)}</li>" for line in _explained(message)]
    end = ["<ul>", *end, "</ul>"] if end else []
    if _is_web(message.airflow_url):
        end.append(f'<p><a href="{escape(str(message.airflow_url))}">DAG run in Airflow</a></p>')
    end.append("</body></html>")
    several = len(message.alerts) > 1
    parts = [
        '<html><head><meta charset="utf-8"><meta name="color-scheme" content="light dark"></head>'
        '<body style="font-family:sans-serif;font-size:14px;line-height:1.5">',
        f'<h3 style="margin:0 0 12px">{escape(cut(message.title, LONGEST))}</h3>',
    ]
    sections = (_html_section(alert, headed=several) for alert in message.alerts[:SHOWN])
    room = MOST_MAIL_BYTES - sum(map(_bytes, [*parts, *end]))
    shown = fitting(sections, room, size=_bytes)
    parts += shown
    parts += [f"<p>{line}</p>" for line in _more(message, len(shown))]
    return "\n".join([*parts, *end])


def as_slack(message: Message) -> dict[str, Any]:
    """The body of a message in Slack: ``text``, and ``attachments`` with blocks and a colour."""
    end = fitting(map(_one_section, _explained(message)), MOST_SLACK_CHARACTERS // 4, size=len)
    if _is_web(message.airflow_url):
        end.append(f"<{_slack_url(str(message.airflow_url))}|DAG run in Airflow>")
    several = len(message.alerts) > 1
    room = MOST_SLACK_CHARACTERS - sum(map(len, end))
    sections = [_slack_section(alert, headed=several) for alert in message.alerts[:SHOWN]]
    if sum(map(len, sections)) + len(sections) > room:
        # A list of all exports matters more than the facts about the first ones.
        sections = [_slack_section(alert, headed=True, with_facts=False) for alert in message.alerts[:SHOWN]]
    shown = fitting(sections, room, size=len)
    attachments = [
        _attachment([section], alert.severity)
        for section, alert in zip(shown, message.alerts, strict=False)
        if section
    ]
    if end := [*_more(message, len(shown)), *end]:
        attachments.append(_attachment(end, message.severity))
    return {"text": slack_text(cut(message.title, LONGEST)), "attachments": attachments}


def as_teams(message: Message) -> dict[str, Any]:
    """The body of a POST to a workflow of Microsoft Teams: an Adaptive Card."""
    several = len(message.alerts) > 1
    head = _teams_text(message.title, weight="Bolder", color=TEAMS_COLOURS[message.severity])
    # Alerts matter more than explanations of codes, which leave them room.
    codes = (_teams_text(line, isSubtle=True) for line in _explained(message))
    end = fitting(codes, MOST_TEAMS_BYTES // 4)
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": [],
        "actions": _actions([("DAG run", message.airflow_url)]),
    }
    room = MOST_TEAMS_BYTES - json_size([card, head, *end])
    shown = fitting((_teams_section(alert, headed=several) for alert in message.alerts[:SHOWN]), room)
    more = [_teams_text(line) for line in _more(message, len(shown))]
    card["body"] = [head, *shown, *more, *end]
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "content": card}]}


def slack_text(text: str) -> str:
    """Text escaped for Slack, so that nothing in it is read as markup."""
    # & < > as Slack requires. It has no escape for the marks of bold, italic, strikethrough and code, which
    # only count at the edges of words: a zero-width space next to them makes them plain characters.
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"(?<![^\W_])[*_~`]|[*_~`](?![^\W_])", "\u200b\\g<0>\u200b", plain)


def _text_section(alert: Alert) -> str:
    about = [f"  {name}: {value}" for name, value in (*_facts(alert), *_links(alert))]
    return "\n".join([f"- {cut(alert.text, LONGEST)}", *about])


def _html_section(alert: Alert, *, headed: bool) -> str:
    words = f"<b>{escape(cut(alert.text, LONGEST))}</b><br>" if headed else ""
    facts = "<br>".join(
        f'<span style="opacity:.7">{escape(name)}</span> {escape(value)}' for name, value in _facts(alert)
    )
    links = " &middot; ".join(f'<a href="{escape(url)}">{escape(name)}</a>' for name, url in _links(alert))
    body = "<br>".join(filter(None, (facts, links)))
    style = f"border-left:4px solid {COLOURS[alert.severity]};padding-left:12px;margin:0 0 16px"
    return f'<div style="{style}">{words}{body}</div>'


def _slack_section(alert: Alert, *, headed: bool, with_facts: bool = True) -> str:
    words = [f"*{slack_text(cut(alert.text, LONGEST))}*"] if headed else []
    facts = [f"{name}: {slack_text(value)}" for name, value in _facts(alert)] if with_facts else []
    links = "  ".join(f"<{_slack_url(url)}|{name}>" for name, url in _links(alert))
    # Whole lines are left out, so a link is never cut.
    return "\n".join(_lines_within([*words, *facts], links))


def _one_section(text: str) -> str:
    return "\n".join(_lines_within([slack_text(text)], ""))


def _lines_within(lines: Iterable[str], last: str) -> list[str]:
    """As many lines as fit into a section of Slack, and the last one; a mark shows that some are left out."""
    kept: list[str] = []
    room = LONGEST_SECTION - len(last) - len(CUT) - 2
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            kept.append(CUT.strip())
            break
        kept.append(line)
    return [*kept, *([last] if last else [])]


def _attachment(sections: Sequence[str], severity: str) -> dict[str, Any]:
    blocks = [
        {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}} for text in sections
    ]
    return {"color": COLOURS[severity], "blocks": blocks}


def _slack_url(url: str) -> str:
    return url.replace("&", "&amp;").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")


def _teams_section(alert: Alert, *, headed: bool) -> dict[str, Any]:
    facts = [{"title": name, "value": _teams_words(value)} for name, value in _facts(alert)]
    items: list[dict[str, Any]] = [{"type": "FactSet", "facts": facts}] if facts else []
    if headed:
        items.insert(0, _teams_text(alert.text, color=TEAMS_COLOURS[alert.severity]))
    if actions := _actions(_links(alert)):
        items.append({"type": "ActionSet", "actions": actions})
    return {"type": "Container", "separator": True, "items": items}


def _teams_text(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "TextBlock", "text": _teams_words(cut(text, LONGEST)), "wrap": True, **more}


def _teams_words(text: str) -> str:
    """Text escaped for Teams: a card reads Markdown's links, and its emphasis at the edges of words."""
    plain = re.sub(r"(?<![^\W_])[*_\\]|[*_\\](?![^\W_])", r"\\\g<0>", text)
    return plain.replace("](", "]\u200b(")


def _actions(links: Iterable[tuple[str, str | None]]) -> list[dict[str, Any]]:
    return [{"type": "Action.OpenUrl", "title": name, "url": url} for name, url in links if _is_web(url)]


def _bytes(text: str) -> int:
    return len(text.encode())


def _facts(alert: Alert) -> list[tuple[str, str]]:
    return [(name, cut(value, LONGEST)) for name, value in alert.facts]


def _links(alert: Alert) -> list[tuple[str, str]]:
    links = (
        ("Dataflow", alert.dataflow_url),
        ("Airflow task", alert.task_url),
        ("Export in Airflow", alert.page_url),
    )
    return [(name, str(url)) for name, url in links if _is_web(url)]


def _is_web(url: str | None) -> bool:
    return bool(url) and str(url).startswith(("https://", "http://")) and len(str(url)) <= LONGEST_LINK


def _explained(message: Message) -> list[str]:
    """A line for each of Adobe's codes: its first message, what it means, and what to do."""
    from airflow_provider_aep.flowservice.codes import explain

    messages: dict[str, str] = {}
    for alert in message.alerts:
        for error in alert.errors:
            messages.setdefault(error["code"], error["message"])
    lines = []
    for code in message.codes[:EXPLAINED]:
        known = explain(code)
        lines.append(
            f"{cut(code, 80)} ({cut(messages[code], 120)}): {known.meaning} {known.advice}"
            if messages[code]
            else f"{cut(code, 80)}: {known.meaning} {known.advice}"
        )
    if len(message.codes) > EXPLAINED:
        lines.append(f"and {len(message.codes) - EXPLAINED} more codes")
    return lines


def _more(message: Message, shown: int) -> Sequence[str]:
    left = len(message.alerts) - shown
    return [f"and {left:,} more"] if left > 0 else []

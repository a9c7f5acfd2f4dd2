"""Whatever others have written: a message fits into its channel, and nothing is cut in a bad place."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from airflow_provider_aep.monitoring.alert_formats import (
    SHOWN,
    as_html,
    as_line,
    as_slack,
    as_teams,
    as_text,
)
from airflow_provider_aep.monitoring.alert_messages import Message, digest
from airflow_provider_aep.monitoring.alerts import Alert
from airflow_provider_aep.monitoring.words import cut

LINK = "https://experience.adobe.com/#/@acme/sname:prod/platform/destination/browse/f-1?a=b&c=d"
WORDS = "lorem ipsum & dolor <sit> *amet* é😀 " * 1_600  # some 57,000 characters
WALL = "\"'&<>*_é" * 7_000  # without a blank anywhere, and long once it is escaped
SMILES = "😀" * 56_000  # four bytes each


def message_of(text: str, count: int) -> Message:
    verdict = {
        "outcome": "fail",
        "reason": text,
        "sandbox": "prod",
        "dataflow_name": text,
        "dataflow_id": text,
        "location": f"s3://{text}",
        "cause": {"kind": "unknown", "told": text},
        "errors": [{"code": f"{number}-{text[:5_000]}", "message": text[:5_000]} for number in range(12)],
        "run_ids": ["r-1"],
        "started_at": "2026-12-01T06:00:00+00:00",
    }
    links = {"dataflow_url": LINK, "task_url": LINK, "page_url": LINK, "task": "check"}
    one = Alert.from_verdict(verdict, status="failed", text=text, **links)
    # The same alert many times over: hundreds of their own would hold gigabytes.
    (made,) = digest([one] * count, dag_id="d", run_id="r", airflow_url=LINK)
    return made


@pytest.fixture(params=[1, 300], ids=["one alert", "three hundred"])
def count(request) -> int:
    return int(request.param)


@pytest.fixture(params=[WORDS, WALL, SMILES], ids=["words", "one endless word", "smiles"])
def message(request, count) -> Message:
    return message_of(request.param, count)


class Balance(HTMLParser):
    """Every tag that is opened is closed, and the links are whole."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=False)
        self.open: list[str] = []
        self.links: set[str | None] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open += [] if tag in ("meta", "br") else [tag]
        self.links |= {value for name, value in attrs if name == "href"}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def entities_are_whole(text: str) -> bool:
    return not re.search(r"&(?!(amp|lt|gt|quot|#x27|middot);)", text)


@pytest.mark.parametrize("form", [as_text, as_html])
def test_both_forms_of_a_mail_stay_below_what_mail_clients_clip(message, form):
    told = form(message)
    assert len(told.encode()) < 100_000
    assert "cut" in told


def test_no_link_tag_or_entity_of_a_mail_is_cut(message):
    told = as_html(message)
    parsed = Balance(told)
    assert parsed.open == []
    assert parsed.links == {LINK}
    assert entities_are_whole(told)


def test_a_message_in_slack_keeps_slacks_limits(message, count):
    told = as_slack(message)
    assert len(told["text"]) < 4_000
    assert len(told["attachments"]) <= 100
    blocks = [block for each in told["attachments"] for block in each["blocks"]]
    assert len(blocks) <= 50
    for block in blocks:
        text = block["text"]["text"]
        assert 0 < len(text) <= 3_000
        assert entities_are_whole(text)
        assert "<" not in re.sub(r"<https://[^<>|]+\|[\w ]+>", "", text)  # no link is cut
    assert "cut" in json.dumps(told)
    assert sum(len(block["text"]["text"]) for block in blocks) < 13_000
    assert sum("|Dataflow>" in block["text"]["text"] for block in blocks) >= min(count, 4)


def test_of_twenty_exports_slack_names_every_one():
    verdict = {
        "outcome": "fail",
        "reason": "the storage login was refused; " * 4,
        "sandbox": "prod",
        "location": "s3://bucket/path/",
    }
    alerts = [
        Alert.from_verdict(
            {**verdict, "dataflow_name": f"crm {number}", "dataflow_id": f"f-{number}"},
            status="failed",
            text=f"AEP export crm {number:02} failed: {verdict['reason']}",
            dataflow_url=LINK,
            task_url=LINK,
            page_url=LINK,
        )
        for number in range(SHOWN + 5)
    ]
    (message,) = digest(alerts)
    told = as_slack(message)
    texts = [block["text"]["text"] for each in told["attachments"] for block in each["blocks"]]
    assert sum(map(len, texts)) < 13_000
    named = [alert for alert in message.alerts if any(alert.text[:24] in text for text in texts)]
    assert len(named) == SHOWN
    assert any("5 more" in text for text in texts)


def test_a_card_in_teams_stays_below_28_kilobytes(message):
    told = json.dumps(as_teams(message))
    assert len(told) < 28_000
    assert "cut" in told


def test_json_for_a_program_stays_below_512_kilobytes(message):
    assert len(json.dumps(message.to_json())) < 512_000


def test_a_line_of_the_log_is_no_novel(message, count):
    assert len(as_line(message)) < 100_000


@pytest.mark.parametrize(
    "text",
    [
        "see https://acme.example/a/long/path/to/a/page of ours and more words",
        "a text with https://acme.example/a/long/path/to/a/page",
    ],
)
def test_a_text_is_never_cut_within_an_address(text):
    assert "acme" not in cut(text, 40)


def test_words_of_others_are_no_markup_in_teams():
    sly = "**bold** [click](https://evil.example) - x"
    (told,) = digest([Alert(status="failed", text=sly, dataflow_name=sly)])
    assert "[click](" not in json.dumps(as_teams(told))

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest

from airflow_provider_aep.monitoring.alert_formats import (
    LONGEST_SECTION,
    SHOWN,
    as_html,
    as_line,
    as_slack,
    as_text,
    slack_text,
)
from airflow_provider_aep.monitoring.alerts import STATUSES, Alert, Message, digest
from airflow_provider_aep.monitoring.run_codes import UNKNOWN, explain
from airflow_provider_aep.notifications import MESSAGES

URL = "https://experience.adobe.com/#/sname:prod/platform/destination/browse/f-1"
VERDICT = {
    "outcome": "fail",
    "status": "failed",
    "reason": "run r-1 ended as failed",
    "dataflow_id": "f-1",
    "dataflow_name": "crm-nightly",
    "sandbox": "prod",
    "run_ids": ["r-1"],
    "records_out": 600,
    "usual_records": 1200,
    "usual_runs": 7,
    "errors": [{"code": "CONNECTOR-1001-500", "message": "copy failed"}],
}


def alert(text: str = "AEP export crm-nightly failed", status: str = "failed", **verdict: Any) -> Alert:
    urls = {"dataflow_url": URL, "task_url": "http://airflow/dags/d/runs/r/tasks/t", "task": "t"}
    return Alert.from_verdict({**VERDICT, **verdict}, status=status, text=text, **urls)


def message(*alerts: Alert) -> Message:
    (one,) = digest(alerts, dag_id="d", run_id="r", airflow_url="http://airflow/dags/d/runs/r")
    return one


def test_the_numbers_stand_beside_the_usual():
    assert alert().numbers == "600 records (usual 1,200, the median of 7 runs: -50%)"
    assert alert(records_out=1500).numbers.endswith(": +25%)")
    assert alert(usual_records=None).numbers == "600 records"
    assert alert(records_out=None).numbers == ""
    assert alert(usual_records=0).change_percent is None


@pytest.mark.parametrize("verdict", [{}, {"errors": None, "run_ids": None, "usual_runs": None}])
def test_an_alert_needs_no_more_of_a_verdict_than_there_is(verdict):
    made = message(Alert.from_verdict(verdict, status="error", text="x"))
    assert as_line(made) == "x | no link"
    assert json.loads(json.dumps(made.to_json()))["alerts"][0]["sandbox"] is None


def test_what_can_be_told_can_be_counted():
    assert set(STATUSES) == set(MESSAGES)


def test_there_is_one_message_for_each_sandbox():
    names = ["prod", "dev", "prod", None]
    assert [(each.sandbox, len(each.alerts)) for each in digest(alert(sandbox=name) for name in names)] == [
        (None, 1),
        ("dev", 1),
        ("prod", 2),
    ]


def test_a_title_counts_each_kind_the_gravest_first():
    statuses = enumerate(("zero_records", "failed", "zero_records", "error"))
    made = message(*(alert(status=status, dataflow_id=f"f-{number}") for number, status in statuses))
    assert made.title == "4 AEP exports in sandbox prod: 1 not watched, 1 failed, 2 empty"
    assert next(iter(made.counts)) == "error"


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("CONNECTOR-1001-500", "Copying from the source failed."),
        ("FLOW-2100-404", "The sandbox does not exist."),
        ("401013", "The access token is not valid, or has expired."),
        ("FLOW-9999-400", UNKNOWN.meaning),
        ("", UNKNOWN.meaning),
    ],
)
def test_a_code_of_adobes_is_explained(code, meaning):
    assert explain(code).meaning == meaning
    assert explain(code).advice


def test_a_line_of_the_log_holds_all_there_is_to_know():
    assert as_line(message(alert())) == (
        f"AEP export crm-nightly failed | {URL} | 600 records (usual 1,200, the median of 7 runs: -50%)"
        " | CONNECTOR-1001-500 (copy failed): Copying from the source failed. Wait for the next"
        " scheduled run; if it stays, give Adobe's support the run id. | http://airflow/dags/d/runs/r/tasks/t"
    )


def test_a_line_break_in_a_name_begins_no_new_line():
    made = message(alert("AEP export a\r\nBcc: x@y\u2028 failed", reason="a\nb"))
    assert as_line(made).count("\n") == 0
    assert made.title == "AEP export a Bcc: x@y failed"


def test_of_a_burst_the_first_are_told_in_full_and_the_rest_is_counted():
    made = message(
        *(alert(f"AEP export {number:03} failed", dataflow_name=f"{number:03}") for number in range(200))
    )
    for told in (as_text(made), as_html(made), json.dumps(as_slack(made))):
        assert f"AEP export {SHOWN - 1:03} failed" in told
        assert f"AEP export {SHOWN:03} failed" not in told
        assert "and 180 more" in told
        assert told.count("Copying from the source failed.") == 1
    assert len(made.to_json()["alerts"]) == 200


def test_plain_text_of_one_alert_needs_no_title():
    assert as_text(message(alert())).splitlines() == [
        "- AEP export crm-nightly failed",
        "  600 records (usual 1,200, the median of 7 runs: -50%)",
        f"  Dataflow: {URL}",
        "  Airflow task: http://airflow/dags/d/runs/r/tasks/t",
        "* CONNECTOR-1001-500 (copy failed): Copying from the source failed. Wait for the next scheduled run;"
        " if it stays, give Adobe's support the run id.",
        "DAG run: http://airflow/dags/d/runs/r",
    ]


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.links: list[str | None] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.links += [value for name, value in attrs if name == "href"]
        assert {name for name, _ in attrs} <= {"href"}

    def handle_data(self, data: str) -> None:
        self.words += data


NASTY = '<script>alert(1)</script> & "quotes" <!channel> <https://evil|x> *bold* _it_ `code` ~no~ crm_full_v2'


def test_words_of_others_are_no_html():
    told = Tags(as_html(message(alert(NASTY), alert(NASTY, errors=[{"code": NASTY, "message": NASTY}]))))
    assert told.seen <= {"h3", "p", "b", "br", "a", "ul", "li"}
    assert NASTY in told.words


def test_a_link_that_is_none_is_left_out():
    sly = Alert(status="failed", text="x", dataflow_url='javascript:alert("1")', task_url='https://a/"><b>')
    assert Tags(as_html(message(sly))).links == ['https://a/"><b>', "http://airflow/dags/d/runs/r"]


def test_words_of_others_are_no_markup_in_slack():
    told = slack_text(NASTY)
    assert "&lt;!channel&gt; &lt;https://evil|x&gt;" in told
    assert "crm_full_v2" in told
    for mark in ("*bold*", "_it_", "`code`", "~no~"):
        assert mark not in told
        assert mark in told.replace("\u200b", "")


def test_a_message_in_slack_keeps_slacks_limits():
    long = "&<>*" * 5000
    errors = [{"code": f"{number}{long}", "message": long} for number in range(60)]
    made = digest(alert(long, errors=errors, reason=long) for _ in range(300))[0]
    blocks = as_slack(made)
    assert len(blocks) <= 50
    for block in blocks:
        text = block["text"]["text"]
        assert 0 < len(text) <= LONGEST_SECTION
        assert text.count("<") == text.count(">")  # no link is cut


def test_json_explains_the_codes_and_keeps_the_numbers():
    (told,) = message(alert()).to_json()["alerts"]
    assert told["change_percent"] == -50.0
    assert told["errors"] == [
        {
            "code": "CONNECTOR-1001-500",
            "message": "copy failed",
            "meaning": "Copying from the source failed.",
            "advice": "Wait for the next scheduled run; if it stays, give Adobe's support the run id.",
        }
    ]

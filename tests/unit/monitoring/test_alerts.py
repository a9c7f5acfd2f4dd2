from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from airflow_provider_aep.flowservice.codes import UNKNOWN, explain
from airflow_provider_aep.monitoring.alert_formats import (
    COLOURS,
    LONGEST_SECTION,
    SHOWN,
    TEAMS_COLOURS,
    as_html,
    as_line,
    as_slack,
    as_teams,
    as_text,
    slack_text,
)
from airflow_provider_aep.monitoring.alert_messages import Message, digest
from airflow_provider_aep.monitoring.alerts import NEXT, STATUSES, Alert
from airflow_provider_aep.monitoring.incidents import LONGEST_KEY, incident_key
from airflow_provider_aep.monitoring.words import cut
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
    "started_at": "2026-12-01T06:00:00+00:00",
    "completed_at": "2026-12-01T06:12:00+00:00",
    "location": "s3://bucket/exports/",
    "cause": {
        "kind": "not_exported",
        "advice": "Export the dataset on demand, and give Adobe's support the run id.",
        "told": "3 batches with 12,400 records were ingested since 06:00, and not exported",
        "since": None,
        "until": None,
        "batches": 3,
        "records": 12400,
    },
    "open": {"failed": "2026-11-30T06:12:00+00:00"},
}
PAGE = "http://airflow/plugin/aep-exports?export=aep_default/prod/f-1"


def alert(text: str = "AEP export crm-nightly failed", status: str = "failed", **verdict: Any) -> Alert:
    urls = {"dataflow_url": URL, "task_url": "http://airflow/dags/d/runs/r/tasks/t", "task": "t"}
    return Alert.from_verdict({**VERDICT, **verdict}, status=status, text=text, page_url=PAGE, **urls)


def message(*alerts: Alert) -> Message:
    (one,) = digest(alerts, dag_id="d", run_id="r", airflow_url="http://airflow/dags/d/runs/r")
    return one


def test_the_numbers_stand_beside_the_usual():
    assert alert().numbers == "600 records (usual 1,200, the median of 7 runs: -50%)"
    assert alert(records_out=1500).numbers.endswith(": +25%)")
    assert alert(usual_records=None).numbers == "600 records"
    assert alert(records_out=None).numbers == ""
    assert alert(usual_records=0).change_percent is None


@pytest.mark.parametrize("field", ["dataflow_name", "dataflow_id", "sandbox", "reason", "location"])
@pytest.mark.parametrize("form", [as_line, as_text, as_html, as_slack, as_teams])
def test_no_letter_of_a_name_costs_an_alert_or_moves_a_cursor(form, field):
    hostile = "crm \ud800 \x1b[2J\x07 \u202egpj.exe \x00 \N{WOMAN}\u200d\N{ROCKET}"
    named = {field: hostile}
    told = form(message(alert(f"AEP export {hostile} failed", **named), alert(status="stuck", **named)))
    text = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)
    text.encode()
    assert not set(text) & set("\ud800\x1b\x07\u202e\x00")
    assert "\N{WOMAN}\u200d\N{ROCKET}" in text


def test_a_name_of_a_megabyte_stays_within_the_limits():
    told = message(alert(sandbox="x" * 1_000_000, dataflow_name="y" * 1_000_000))
    assert len(json.dumps(told.to_json())) < 600_000


@pytest.mark.parametrize("verdict", [{}, {"errors": None, "run_ids": None, "usual_runs": None}])
def test_an_alert_needs_no_more_of_a_verdict_than_there_is(verdict):
    made = message(Alert.from_verdict(verdict, status="error", text="x"))
    assert as_line(made) == (
        "x | Next: Read the log of the Airflow task; clear the task once the cause is fixed."
    )
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
        "AEP export crm-nightly failed | Export: crm-nightly (f-1) | Sandbox: prod"
        " | Run: 2026-12-01 06:00 to 06:12 UTC (12 minutes), r-1"
        " | Exported: 600 records (usual 1,200, the median of 7 runs: -50%) | Files: s3://bucket/exports/"
        " | Why: 3 batches with 12,400 records were ingested since 06:00, and not exported"
        " | Next: Export the dataset on demand, and give Adobe's support the run id."
        " | CONNECTOR-1001-500 (copy failed): Copying from the source failed. Wait for the next"
        " scheduled run; if it stays, give Adobe's support the run id."
        f" | Dataflow: {URL} | Airflow task: http://airflow/dags/d/runs/r/tasks/t | Export in Airflow: {PAGE}"
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
        "  Export: crm-nightly (f-1)",
        "  Sandbox: prod",
        "  Run: 2026-12-01 06:00 to 06:12 UTC (12 minutes), r-1",
        "  Exported: 600 records (usual 1,200, the median of 7 runs: -50%)",
        "  Files: s3://bucket/exports/",
        "  Why: 3 batches with 12,400 records were ingested since 06:00, and not exported",
        "  Next: Export the dataset on demand, and give Adobe's support the run id.",
        f"  Dataflow: {URL}",
        "  Airflow task: http://airflow/dags/d/runs/r/tasks/t",
        f"  Export in Airflow: {PAGE}",
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
        # No image, no font, no script: a mail must not tell anybody that it was read.
        assert {name for name, _ in attrs} <= {"href", "style", "charset", "name", "content"}
        assert not any("url(" in str(value) for name, value in attrs if name == "style")

    def handle_data(self, data: str) -> None:
        self.words += data


NASTY = '<script>alert(1)</script> & "quotes" <!channel> <https://evil|x> *bold* _it_ `code` ~no~ crm_full_v2'


def test_words_of_others_are_no_html():
    told = Tags(as_html(message(alert(NASTY), alert(NASTY, errors=[{"code": NASTY, "message": NASTY}]))))
    known = ("html", "head", "meta", "body", "div", "span", "h3", "p", "b", "br", "a", "ul", "li")
    assert told.seen <= set(known)
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


HUGE = " ".join(["&<>*" * 20] * 700)  # 55,000 characters


def huge() -> Message:
    errors = [{"code": f"{number} {HUGE}", "message": HUGE} for number in range(60)]
    cause = {"kind": "unknown", "told": HUGE}
    about = {"errors": errors, "reason": HUGE, "location": HUGE, "cause": cause, "dataflow_name": HUGE}
    return digest([alert(HUGE, **about)] * 300)[0]


def test_a_message_in_slack_keeps_slacks_limits():
    told = as_slack(huge())
    blocks = [block for each in told["attachments"] for block in each["blocks"]]
    assert len(told["text"]) < 40_000
    assert len(told["attachments"]) <= 100
    assert 0 < len(blocks) <= 50
    for block in blocks:
        text = block["text"]["text"]
        assert 0 < len(text) <= LONGEST_SECTION
        assert text.count("<") == text.count(">")  # no link is cut
        assert not re.search(r"&(?!amp;|lt;|gt;)", text)  # and nothing that stands for a sign
    assert "[cut]" in json.dumps(told)


def test_a_card_in_teams_keeps_teams_limit_and_says_how_many_are_left_out():
    told = json.dumps(as_teams(huge()))
    assert len(told.encode()) < 28_000
    assert "[cut]" in told
    assert re.search(r"and \d+ more", told)
    assert len(json.dumps(as_teams(message(alert())))) < 5_000


def test_a_mail_stays_below_what_mail_programs_show():
    made = huge()
    assert len(as_html(made).encode()) < 102_000
    assert len(as_text(made).encode()) < 102_000
    assert "[cut]" in as_html(made)
    assert not re.search(r"&(?!amp;|lt;|gt;|quot;|#x27;|middot;)", as_html(made))


def test_the_json_stays_below_what_pagerduty_takes_and_says_what_it_left_out():
    told = huge().to_json()
    assert len(json.dumps(told)) < 512 * 1024
    assert told["left_out"] + len(told["alerts"]) == 300
    assert told["left_out"] > 0
    assert told["alerts"][0]["text"].endswith("[cut]")


def test_a_text_is_cut_between_words_and_says_so():
    assert cut("one two three four five", 20) == "one two ... [cut]"
    assert cut("a" * 40, 20) == "a" * 10 + " ... [cut]"
    assert cut("one two", 20) == "one two"


# Looks


@pytest.mark.parametrize(
    ("status", "outcome", "severity"),
    [
        ("failed", "fail", "critical"),
        ("gaps", "fail", "critical"),
        ("low_records", "fail", "error"),
        ("zero_records", "warn", "warning"),
        ("recovered", "ok", "info"),
        ("success", "ok", "info"),
    ],
)
def test_severity_is_a_colour_in_slack_in_a_mail_and_in_teams(status, outcome, severity):
    made = message(alert(status=status, outcome=outcome, cause=None))
    assert made.to_json()["alerts"][0]["severity"] == made.severity == severity
    assert as_slack(made)["attachments"][0]["color"] == COLOURS[severity]
    assert COLOURS[severity] in as_html(made)
    assert as_teams(made)["attachments"][0]["content"]["body"][0]["color"] == TEAMS_COLOURS[severity]


def test_what_was_ingested_and_not_exported_is_critical():
    empty = {"status": "zero_records", "outcome": "fail"}
    assert alert(**empty, cause={"kind": "not_exported", "told": "x"}).severity == "critical"
    assert alert(**empty, cause={"kind": "nothing_ingested", "told": "x"}).severity == "error"


def test_every_format_holds_every_fact_and_link():
    made = message(alert())
    formats = (as_line(made), as_text(made), Tags(as_html(made)).words, json.dumps(as_slack(made)))
    card = json.dumps(as_teams(made)).replace("\\\\", "")
    for told in (*formats, card):
        for fact in (
            "crm-nightly (f-1)",
            "prod",
            "2026-12-01 06:00 to 06:12 UTC (12 minutes), r-1",
            "600 records (usual 1,200, the median of 7 runs: -50%)",
            "s3://bucket/exports/",
            "3 batches with 12,400 records were ingested since 06:00, and not exported",
            "Export the dataset on demand, and give Adobe's support the run id.",
            "Copying from the source failed.",
        ):
            assert fact in told
    for told in (as_line(made), as_text(made), as_html(made), json.dumps(as_slack(made)), card):
        for link in (URL, "http://airflow/dags/d/runs/r/tasks/t", PAGE):
            assert link in told


def test_a_card_in_teams_shows_words_and_no_markup():
    told = as_teams(message(alert("*bold* [x](https://evil) `code` crm_full_v2")))
    (card,) = (each["content"] for each in told["attachments"])
    assert card["body"][0]["text"] == "\\*bold\\* [x]\u200b(https://evil) `code` crm_full_v2"
    assert as_teams(message(alert(dataflow_name="x")))["type"] == "message"


@pytest.mark.parametrize("status", [status for status in STATUSES if status not in ("recovered", "success")])
def test_every_bad_status_says_what_to_do_next_without_any_code(status):
    assert dict(alert(status=status, errors=[], cause=None).facts)["Next"]


def test_a_cause_says_better_what_to_do_next():
    nothing = {"kind": "nothing_ingested", "told": "no batch", "advice": "Nothing to do for the export."}
    assert alert(status="zero_records", cause=nothing).next_step == "Nothing to do for the export."
    unknown = alert(status="zero_records", cause={"kind": "unknown", "told": "403"})
    assert unknown.next_step == NEXT["zero_records"]


@pytest.mark.parametrize(
    ("began", "ended", "told"),
    [
        (
            "2026-12-01T23:50:00+00:00",
            "2026-12-02T01:50:00+00:00",
            "2026-12-01 23:50 to 2026-12-02 01:50 UTC (2 hours)",
        ),
        (
            "2026-12-01T07:00:00+01:00",
            "2026-12-01T07:00:50+01:00",
            "2026-12-01 06:00 to 06:00 UTC (50 seconds)",
        ),
        ("2026-12-01T06:00:00+00:00", None, "began 2026-12-01 06:00 UTC, no end is told"),
        (None, "2026-12-01T06:00:00+00:00", "ended 2026-12-01 06:00 UTC"),
        ("yesterday", 7, ""),
    ],
)
def test_when_a_run_began_and_ended_is_told_in_utc(began, ended, told):
    assert alert(started_at=began, completed_at=ended).run_time == told


# Incidents


def test_an_incident_has_one_key_whoever_tells_it():
    by_task, by_check = alert(conn_id="a", run_ids=["r-1"]), alert("other words", run_ids=["r-2"], task="x")
    keys = {each.incidents("d")[0]["key"] for each in (by_task, by_check)}
    assert keys == {"aep:prod:f-1:failed"}
    assert alert(status="zero_records").incidents("d")[0]["key"] != "aep:prod:f-1:failed"
    assert len(incident_key("failed", "prod", "f" * 5000)) <= LONGEST_KEY
    assert incident_key("failed", "prod", "f" * 5000) != incident_key("failed", "prod", "f" * 5001)


def test_what_is_about_no_export_is_told_apart_by_dag_and_task():
    made = Message(sandbox=None, alerts=(Alert(status="error", text="x", task="t"),), dag_id="d")
    assert made.to_json()["alerts"][0]["key"] == "aep::d:t:error"


def test_a_recovered_export_resolves_each_incident_that_was_open():
    was = {"failed": "2026-11-30T06:12:00+00:00", "zero_records": "2026-11-30T09:12:00+00:00"}
    made = message(alert("AEP export crm-nightly has recovered", "recovered", outcome="ok", recovered=was))
    entries = made.to_json()["alerts"]
    assert [(each["key"], each["state"], each["started_at"]) for each in entries] == [
        ("aep:prod:f-1:failed", "resolved", "2026-11-30T06:12:00+00:00"),
        ("aep:prod:f-1:zero_records", "resolved", "2026-11-30T09:12:00+00:00"),
    ]
    firing = message(alert()).to_json()["alerts"][0]
    assert (firing["key"], firing["state"]) == ("aep:prod:f-1:failed", "firing")
    assert firing["started_at"] == "2026-11-30T06:12:00+00:00"  # and not when the run of today ended
    assert "failed since 2026-11-30 06:12 UTC; empty since 2026-11-30 09:12 UTC" in as_text(made)


def schema() -> dict[str, Any]:
    path = files("airflow_provider_aep.monitoring").joinpath("alert.schema.json")
    return dict(json.loads(path.read_text()))


@pytest.mark.parametrize("status", STATUSES)
def test_every_message_fits_the_schema_of_the_webhook(status):
    was = {"failed": "2026-11-30T06:12:00+00:00"}
    bare = Alert.from_verdict({}, status=status, text="x")
    made = [message(alert(status=status, recovered=was)), message(bare)]
    if status == "error":
        made.append(huge())
    validator = Draft202012Validator(schema(), format_checker=FormatChecker())
    Draft202012Validator.check_schema(schema())
    for each in made:
        told = json.loads(json.dumps(each.to_json()))
        assert [error.message for error in validator.iter_errors(told)] == []
        # What is not described may not be there: the schema leaves nothing out.
        described = schema()["$defs"]["alert"]["properties"].keys()
        assert all(entry.keys() == described for entry in told["alerts"])


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

"""What the tab of a task shows of a check or of a sensor of many exports, from the XCom that it left."""

from __future__ import annotations

import pytest

from airflow_provider_aep.page.judged import judged_rows
from airflow_provider_aep.sensors.progress import check_of, with_well

PLACE = {"sandbox": "prod", "conn_id": "aep_default"}


def nowhere(dataflow_id: str, run_id: str | None) -> None:
    return None


def entry(name: str, outcome: str, tick: str = "2026-12-01T00:00:00+00:00", **more):
    return {
        "dataflow_id": f"id-{name}",
        "dataflow_name": name,
        "tick": tick,
        "outcome": outcome,
        "status": "failed" if outcome == "fail" else "success",
        "reason": f"run r-{name} ended",
        "run_ids": [f"r-{name}"],
        **more,
    }


def test_a_sensor_leaves_all_exports_that_it_watched_and_the_bad_ones_come_first():
    entries = [
        entry("well", "ok"),
        entry("well", "ok", tick="2026-12-01T03:00:00+00:00"),
        entry("bad", "fail"),
        entry("bad", "ok", tick="2026-12-01T03:00:00+00:00"),
        entry("odd", "warn"),
    ]
    left = with_well(check_of(entries, PLACE, waits_for=2), entries)

    def page_of(dataflow_id: str, run_id: str | None) -> str | None:
        return None if dataflow_id == "id-odd" else f"{dataflow_id}?run={run_id}"

    told = judged_rows(left, page_of)
    assert [(row["dataflow_name"], row["outcome"]) for row in told["exports"]] == [
        ("bad", "fail"),
        ("odd", "warn"),
        ("well", "ok"),
    ]
    assert [row["page"] for row in told["exports"]] == ["id-bad?run=r-bad", None, "id-well?run=None"]
    assert told["exports"][0]["findings"][0]["told"] == "run r-bad ended"
    assert told["totals"] == {"fail": 1, "warn": 1, "ok": 1}
    assert (told["waits_for"], told["left_out"]) == (2, 0)


def test_of_more_bad_exports_than_an_xcom_holds_those_that_are_left_out_are_counted():
    entries = [entry(f"{number:036}", "fail") for number in range(300)]
    alerted = {f"{each['dataflow_id']} {each['tick']}" for each in entries}
    told = judged_rows(with_well(check_of(entries, PLACE, alerted=alerted), entries), nowhere)
    assert 0 < len(told["exports"]) < 300
    assert len(told["exports"]) + told["left_out"] == 300


def test_a_check_tells_what_is_new_before_what_stands():
    finding = {
        "kind": "stuck",
        "outcome": "fail",
        "told": "run r was under way",
        "tick": None,
        "run_ids": ["r"],
    }
    export = {"dataflow_id": "a", "dataflow_name": "crm", "outcome": "fail"}
    left = {
        **PLACE,
        "outcome": "fail",
        "since": "2026-12-01T00:00:00+00:00",
        "until": "2026-12-02T00:00:00+00:00",
        "exports": [
            {
                **export,
                "findings": [{**finding, "kind": "late"}],
                "standing": [finding] * 20,
                "recovered": None,
            }
        ],
        "notes": ["2 more exports have news"],
        "left_out": {"exports": 2, "details": 0, "findings": 0, "verdicts": 0},
    }
    told = judged_rows(left, nowhere)
    (row,) = told["exports"]
    assert [(each["kind"], each["standing"]) for each in row["findings"]][:2] == [
        ("late", False),
        ("stuck", True),
    ]
    assert (len(row["findings"]), row["more"]) == (10, 11)
    assert (told["left_out"], told["notes"]) == (2, ["2 more exports have news"])


@pytest.mark.parametrize(
    "left",
    [
        {"exports": None},
        {"exports": "x"},
        {"exports": [1, None, "x", {}, {"dataflow_id": 5, "outcome": ["fail"], "findings": 7}]},
        {"exports": [], "totals": [], "notes": {"a": 1}, "left_out": "many", "waits_for": "x", "outcome": {}},
        {"exports": [{"dataflow_id": "a", "findings": [None, {"run_ids": "x"}], "recovered": "x"}]},
    ],
)
def test_an_xcom_of_any_shape_is_told_without_a_fault(left):
    told = judged_rows(left, lambda dataflow_id, run_id: None)
    assert {told["outcome"], *(row["outcome"] for row in told["exports"])} == {"none"}
    assert (told["left_out"], told["waits_for"]) == (0, 0)


def test_an_allowance_that_fails_a_check_is_told():
    left = {
        "outcome": "fail",
        "exports": [{"dataflow_id": "a", "outcome": "ok"}],
        "allowances": [
            {"outcome": "fail", "told": "exported_bytes=1GB/year is used up"},
            {"outcome": "ok", "told": "exported_records=9/year will do"},
        ],
        "notes": ["a note"],
    }
    assert judged_rows(left, nowhere)["notes"] == ["exported_bytes=1GB/year is used up", "a note"]


def test_texts_are_cut_short():
    left = {"exports": [{"dataflow_id": "a", "dataflow_name": "x" * 9000, "outcome": "fail"}]}
    assert len(judged_rows(left, nowhere)["exports"][0]["dataflow_name"]) == 500

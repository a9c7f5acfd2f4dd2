"""The result of a check fits an XCom, whatever it has found, and still tells what matters."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_aep.monitoring.bounds import MOST_BYTES, bounded


def export(name: str, outcome: str = "fail", *, runs: int = 8, words: int = 10) -> dict[str, Any]:
    findings = [
        {
            "kind": "failed",
            "outcome": outcome,
            "told": f"run {name}-{at} " + "x" * words,
            "run_ids": [f"{at}"],
        }
        for at in range(runs)
    ]
    verdicts = [{"status": "failed", "run_ids": [f"{at}"], "errors": ["y" * words]} for at in range(runs)]
    return {
        "dataflow_id": name,
        "dataflow_name": name,
        "outcome": outcome,
        "verdict": verdicts[-1] if verdicts else None,
        "verdicts": verdicts,
        "findings": findings,
        "standing": [],
        "destination": "s3",
    }


def check(*exports: dict[str, Any]) -> dict[str, Any]:
    return {"sandbox": "prod", "outcome": "fail", "notes": ["a note"], "exports": list(exports)}


def size(found: dict[str, Any]) -> int:
    return len(json.dumps(found))


def ids(found: dict[str, Any]) -> list[str]:
    return [each["dataflow_id"] for each in found["exports"]]


def test_what_fits_is_left_as_it_is():
    found = check(export("a"), export("b", "ok", runs=0))
    assert bounded(found) == found


def test_exports_without_news_lose_their_details_first():
    good = [export(f"good {at}", "ok", runs=20) for at in range(50)]
    found = check(export("bad"), *good)
    told = bounded(found, most=20_000)
    assert size(told) <= 20_000
    assert told["exports"][0] == found["exports"][0]
    assert [each["dataflow_id"] for each in told["exports"]] == [
        each["dataflow_id"] for each in found["exports"]
    ]
    assert told["left_out"] == {"exports": 0, "details": 50, "findings": 1000, "verdicts": 1000}
    assert told["notes"] == ["a note"]


def test_then_the_older_findings_of_a_kind_and_the_verdicts_of_their_runs():
    found = check(*(export(f"bad {at}", runs=20) for at in range(10)))
    told = bounded(found, most=15_000)
    assert size(told) <= 15_000
    for each in told["exports"]:
        assert [finding["run_ids"] for finding in each["findings"]] == [["17"], ["18"], ["19"]]
        assert [verdict["run_ids"] for verdict in each["verdicts"]] == [["17"], ["18"], ["19"]]
    assert told["left_out"] == {"exports": 0, "details": 0, "findings": 170, "verdicts": 170}


def test_a_finding_of_another_kind_is_kept_however_old_it_is():
    odd = export("odd", runs=50)
    odd["findings"].insert(0, {"kind": "missing", "outcome": "warn", "told": "no run", "run_ids": []})
    (told,) = bounded(check(odd), most=3_000)["exports"]
    assert [each["kind"] for each in told["findings"]] == [
        "missing",
        *["failed"] * (len(told["findings"]) - 1),
    ]


def test_long_texts_are_cut():
    told = bounded(check(export("a", runs=1, words=5_000)), most=4_000)
    assert size(told) <= 4_000
    assert told["exports"][0]["findings"][0]["told"].endswith("xxx ... [cut]")


def test_at_last_whole_exports_go_the_well_ones_first_and_it_is_said_how_many_had_news():
    well_again = {**export("again", "ok", runs=0), "recovered": {"recovered": ["failed"]}}
    bad = [export(f"bad {at:03}", runs=1) for at in range(100)]
    quiet = [export(f"quiet {at:03}", "ok", runs=0) for at in range(100)]
    found = check(*bad, *quiet, well_again)
    roomy = bounded(found, most=size(check(*bad, well_again)) + 2_500)
    names = ids(roomy)
    assert names[:100] == ids(check(*bad))
    assert names[-1] == "again"
    assert roomy["notes"] == ["a note"]
    assert roomy["left_out"]["exports"] == 201 - len(names) > 0
    tight = bounded(found, most=20_000)
    left = 101 - len(tight["exports"])
    assert size(tight) <= 20_000
    assert tight["notes"][1].startswith(f"{left} more exports have news, and are left out")


@settings(derandomize=True, database=None, deadline=None, max_examples=50)
@given(
    many=st.integers(0, 400),
    runs=st.integers(0, 20),
    words=st.integers(0, 2_000),
    outcome=st.sampled_from(["fail", "warn", "ok", "skip"]),
)
def test_it_is_never_larger_and_changes_nothing_of_what_it_was_given(many, runs, words, outcome):
    shape = export("e" * 36, outcome, runs=runs, words=words)
    found = check(*({**shape, "dataflow_id": str(at)} for at in range(many)))
    before = copy.deepcopy(shape)
    told = bounded(found)
    assert size(told) <= MOST_BYTES
    assert shape == before
    assert len(told["exports"]) + told.get("left_out", {"exports": 0})["exports"] == many

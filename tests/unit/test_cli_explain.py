"""``aep explain``."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from airflow_provider_aep.cli import explain, main


@pytest.fixture
def orders(aep, make_dataflow, now, monkeypatch):
    """A three-hourly export of a dataset that gains nothing by itself; its first run is in an hour."""
    dataset = aep.add_dataset("Orders of a shop", kind="order", rows=50, hourly=0)
    monkeypatch.setattr(aep, "datasets", lambda sandbox="prod": [dataset])
    return dataset, make_dataflow("orders", end=now + timedelta(days=90))


@pytest.fixture
def later(clock, monkeypatch):
    """``later(hours)``: so much time passes, for the command as well."""

    class Moments(explain.datetime):
        @classmethod
        def now(cls, tz=None):
            return explain.datetime.fromtimestamp(clock(), tz=tz)

    monkeypatch.setattr(explain, "datetime", Moments)
    return lambda hours: clock.advance(hours * 3600)


def lose(aep, orders, later):
    dataset, flow = orders
    aep.script_runs(flow, ["success", "withheld"])
    later(2.2)
    aep.add_rows(dataset.id, 7)
    later(2.8)
    return flow


def test_a_good_export_is_one_sentence_a_timeline_and_zero(capsys, orders, later):
    later(2)
    assert main(["explain", "orders"]) == 0
    head, numbers, _, columns, row, note, _, end = capsys.readouterr().out.splitlines()
    assert head == "ok  orders is well: nothing was lost or failed in the last 7 days."
    assert "in: 0 batches with 0 records; out: 1 run with 50 records, 0 bad" in numbers
    assert columns.split() == ["time", "(UTC)", "lane", "status", "what"]
    assert row.split()[2:4] == ["out", "good"]
    assert note.split(maxsplit=1) == ["->", "the first export is a full one"]
    assert end == "Nothing to do now."


def test_what_was_lost_comes_first_and_what_to_do_last(capsys, aep, orders, later):
    flow = lose(aep, orders, later)
    assert main(["explain", flow, "--days", "1"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("fail  orders lost data: 1 batch with 7 records came into Orders of a shop")
    lanes = [line.split()[2:4] for line in lines if line.startswith("20")]
    assert lanes == [["out", "good"], ["in", "lost"], ["out", "empty"]]
    _, why = [line for line in lines if "-> " in line]
    assert why.strip().endswith("and none of them was exported")
    todo = lines[lines.index("What to do now") :]
    assert todo[1].startswith("1. Export on demand what was lost: ")
    assert todo[2].startswith(f"   aep run {flow} --dataset=")


def test_a_program_gets_one_document(capsys, aep, orders, later):
    flow = lose(aep, orders, later)
    assert main(["explain", "orders", "--json"]) == 1
    story = json.loads(capsys.readouterr().out)
    assert story.keys() >= {"dataflow", "window", "ingestion", "exports", "lost", "notes", "actions"}
    assert (story["dataflow"]["id"], story["outcome"], len(story["lost"])) == (flow, "fail", 1)


def test_an_empty_sandbox_of_batches_and_runs_says_so(capsys, orders, later):
    assert main(["explain", "orders"]) == 0
    assert "Nothing came in, and nothing went out." in capsys.readouterr().out


@pytest.mark.parametrize("days", ["0", "32", "-1", "seven", "P32D", "PT36H", "1.5"])
def test_a_number_of_days_is_refused_before_anything_is_asked(capsys, aep, days):
    assert main(["explain", "orders", "--days", days]) == 1
    assert "--days must be a whole number of days" in capsys.readouterr().err
    assert not aep.requests()


def test_a_name_that_nobody_has_is_an_error(capsys, orders, later):
    assert main(["explain", "order"]) == 1
    assert "did you mean 'orders'?" in capsys.readouterr().err

"""The story of one export: what came in, what went out, what was lost, why, and what to do now."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_aep.cli.parser import make_parser
from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.flowservice.dataflows import get_dataflow, set_dataflow_state
from airflow_provider_aep.flowservice.ingestion import Batch, BatchStatus, CatalogDataset
from airflow_provider_aep.monitoring.audit import audit_exports
from airflow_provider_aep.monitoring.owing import Ingested
from airflow_provider_aep.monitoring.policy import AuditPolicy
from airflow_provider_aep.monitoring.story import MOST_BATCHES, story_of
from airflow_provider_aep.monitoring.story_parts import Facts
from airflow_provider_aep.monitoring.telling import MOST_REQUESTS, read_story
from airflow_provider_aep.monitoring.timeline import timeline_of

HOUR = 3600.0
CATALOG = "/data/foundation/catalog/"


@pytest.fixture
def orders(emulator, monkeypatch):
    """A dataset that gains nothing by itself, and is the only one."""
    made = emulator.add_dataset("Orders of a shop", kind="order", rows=50, hourly=0)
    monkeypatch.setattr(emulator, "datasets", lambda sandbox="prod": [made])
    return made


@pytest.fixture
def export(orders, make_dataflow, now):
    """A three-hourly export of that dataset: its id. The first, full run is at 1:00, the next at 4:00."""
    return make_dataflow("orders", end=now + timedelta(days=90))


@pytest.fixture
def tell(run, clock, export):
    """``tell(days=2)``: the story at this moment, which is plain JSON and has only commands that exist."""

    def tell(**given):
        moment = datetime.fromtimestamp(clock(), tz=UTC)
        flow = run(get_dataflow(export))
        story = run(read_story(flow, now=moment, conn_id="aep_default", sandbox="prod", **given))
        assert json.loads(json.dumps(story)) == story
        for action in story["actions"]:
            assert can_be_done(action)
        return story

    return tell


def can_be_done(action):
    """Whether a shell, a DAG or a person understands what is there to copy."""
    if action["kind"] == "shell":
        program, *words = shlex.split(action["command"])
        assert program == "aep"
        return make_parser().parse_args(words)
    return action["command"].endswith(("?", "."))


def commands(story):
    return [action["command"] for action in story["actions"]]


def lanes(story):
    return [(row["lane"], row["status"]) for row in story["lanes"]]


class TestAllIsWell:
    def test_it_says_so_and_there_is_nothing_to_do(self, tell, emulator, orders, clock):
        clock.advance(2 * HOUR)
        emulator.add_rows(orders.id, 7)
        clock.advance(3 * HOUR)
        story = tell()
        assert story["summary"] == "orders is well: nothing was lost or failed in the last 7 days."
        assert (story["outcome"], story["actions"], story["lost"], story["notes"]) == ("ok", [], [], [])
        assert [each["records"] for each in story["exports"]] == [50, 7]
        assert story["totals"] == {
            "batches": 1,
            "batches_failed": 0,
            "records_in": 7,
            "runs": 2,
            "records_out": 57,
            "bad": 0,
        }

    def test_good_runs_in_a_row_are_one_row_between_what_came_in_before_and_after(
        self, tell, emulator, orders, clock
    ):
        for _ in range(4):
            clock.advance(3 * HOUR)
            emulator.add_rows(orders.id, 7)
        story = tell()
        assert lanes(story) == [("out", "good"), ("in", "success"), ("out", "good"), ("in", "success")]
        assert story["lanes"][2]["told"] == "3 runs exported 21 records"
        assert story["lanes"][1]["told"] == "Orders of a shop: 3 batches with 21 records"
        assert len(story["exports"]) == len(story["ingestion"]) == 4

    def test_a_window_leaves_out_what_was_before_it(self, tell, emulator, orders, clock):
        clock.advance(2 * HOUR)
        emulator.add_rows(orders.id, 7)
        clock.advance(25 * HOUR)
        story = tell(days=1)
        assert story["ingestion"] == []
        assert all(each["at"] >= story["window"]["since"] for each in story["exports"])


class TestAnEmptyRun:
    def test_it_is_told_that_nothing_came_in_and_whom_to_ask(self, tell, clock):
        clock.advance(5 * HOUR)
        story = tell()
        last = story["exports"][-1]
        assert (last["status"], last["outcome"], last["cause"]["kind"]) == ("empty", "ok", "nothing_ingested")
        (action,) = story["actions"]
        assert action["kind"] == "ask"
        assert "For the owner of the source of Orders of a shop: nothing was ingested" in action["command"]
        assert story["outcome"] == "ok"

    def test_what_was_ingested_and_not_exported_is_lost_batch_by_batch(
        self, tell, export, emulator, orders, clock
    ):
        emulator.script_runs(export, ["success", "withheld", "success"])
        clock.advance(2.2 * HOUR)
        emulator.add_rows(orders.id, 7)
        clock.advance(0.1 * HOUR)
        emulator.add_rows(orders.id, 5)
        clock.advance(1.7 * HOUR + HOUR)
        story = tell()
        (lost,) = story["lost"]
        batches = [each["batch_id"] for each in story["ingestion"]]
        assert (lost["batches"], lost["records"], sorted(lost["batch_ids"])) == (2, 12, sorted(batches))
        assert all(each["lost"] for each in story["ingestion"])
        assert story["summary"].startswith("orders lost data: ")
        assert "2 batches with 12 records came into Orders of a shop from" in story["summary"]
        assert ("in", "lost") in lanes(story)
        export_now, ask = commands(story)
        here = "--conn-id aep_default --sandbox prod"
        assert export_now == f"aep run {export} --dataset={orders.id} {here}"
        assert all(each in ask for each in [lost["run_id"], *batches])

    def test_two_empty_runs_in_a_row_lose_a_batch_once(self, tell, export, emulator, orders, clock):
        emulator.script_runs(export, ["success", "withheld", "withheld"])
        clock.advance(2.2 * HOUR)
        emulator.add_rows(orders.id, 7)
        clock.advance(6 * HOUR)
        story = tell()
        assert [each["cause"]["kind"] for each in story["exports"][1:]] == ["not_exported"] * 2
        assert [each["batches"] for each in story["lost"]] == [1]

    def test_an_export_on_demand_after_it_may_hold_what_was_lost(self, tell, export, emulator, orders, clock):
        emulator.script_runs(export, ["success", "withheld", "success"])
        clock.advance(2.2 * HOUR)
        emulator.add_rows(orders.id, 7)
        clock.advance(3.4 * HOUR)
        emulator.add_rows(orders.id, 9)
        (run_id,) = emulator.run_now(export)
        clock.advance(0.3 * HOUR)
        story = tell()
        (lost,) = story["lost"]
        assert lost["later_run"]["run_id"] == run_id
        assert not any(each.startswith("aep run") for each in commands(story))
        assert run_id in next(row["told"] for row in story["lanes"] if row["status"] == "delayed")


class TestAMissingRun:
    def test_what_it_owed_waits_for_an_export(self, tell, export, emulator, orders, clock):
        emulator.script_runs(export, ["success", "never", "never"])
        clock.advance(2.2 * HOUR)
        emulator.add_rows(orders.id, 7)
        clock.advance(5 * HOUR)
        story = tell()
        missing = next(each for each in story["exports"] if each["status"] == "missing")
        assert (missing["run_id"], missing["outcome"]) == (None, "fail")
        assert missing["cause"]["kind"] == "not_exported"
        assert commands(story)[0].startswith("aep run ")
        assert any(each.startswith("aep doctor") for each in commands(story))

    def test_what_it_owed_came_out_with_the_next_good_run_and_nothing_is_lost(
        self, tell, export, emulator, orders, clock
    ):
        emulator.script_runs(export, ["success", "never", "success"])
        clock.advance(2.2 * HOUR)
        emulator.add_rows(orders.id, 7)
        clock.advance(6.8 * HOUR)
        story = tell()
        assert [each["records"] for each in story["exports"]] == [50, None, 7]
        assert story["lost"] == []
        assert story["summary"].startswith("orders is well now; 1 of 3 runs and ticks")
        assert (story["outcome"], story["actions"]) == ("fail", [])


class TestAFailedRun:
    def test_its_code_is_explained_and_the_login_of_the_storage_is_sent_again(
        self, tell, export, emulator, clock
    ):
        emulator.script_runs(export, ["success", "failed"])
        clock.advance(5 * HOUR)
        story = tell()
        last = story["exports"][-1]
        assert (last["status"], last["outcome"]) == ("failed", "fail")
        assert last["errors"][0]["code"] == "ACTIVATION_BATCH-0000-FAILED"
        assert story["summary"].startswith(f"orders: run {last['run_id']} ended as failed: ")
        send, again = commands(story)
        assert send == "aep ensure PATH --rotate-credentials --conn-id aep_default --sandbox prod"
        assert again.startswith("aep run ")
        assert "Check the storage login" in story["lanes"][-1]["notes"][0]

    def test_a_failure_that_good_runs_have_followed_asks_for_nothing_now(self, tell, export, emulator, clock):
        emulator.script_runs(export, ["success", "failed"])
        clock.advance(8 * HOUR)
        story = tell()
        assert story["outcome"] == "fail"
        assert not any("rotate" in each for each in commands(story))


class TestFailedIngestion:
    def test_the_owner_of_the_source_is_asked_and_not_the_export(self, tell, export, emulator, orders, clock):
        emulator.script_runs(export, ["success", "zero"])
        clock.advance(2.2 * HOUR)
        emulator.add_batch(orders.id, status="failed", errors=[{"code": "INGEST-1212-400"}])
        clock.advance(2.8 * HOUR)
        story = tell()
        assert story["totals"]["batches_failed"] == 1
        row = next(row for row in story["lanes"] if row["status"] == "failed")
        assert row["told"] == "Orders of a shop: 1 batch failed with INGEST-1212-400"
        ask = commands(story)[0]
        assert ask.startswith("For the owner of the source of Orders of a shop: ingestion failed: ")
        assert "INGEST-1212-400" in ask


class TestTheDataflowItself:
    def test_one_that_is_disabled_can_be_enabled(self, tell, run, export, clock):
        clock.advance(2 * HOUR)
        run(set_dataflow_state(export, "disabled"))
        clock.advance(5 * HOUR)
        story = tell()
        assert story["summary"] == "orders: it is disabled and exports nothing until it is enabled."
        assert commands(story)[0] == f"aep enable {export} --conn-id aep_default --sandbox prod"

    def test_a_run_that_hangs_is_for_adobes_support(self, tell, export, emulator, clock):
        emulator.script_runs(export, ["success", "in_progress"])
        clock.advance(30 * HOUR)
        story = tell()
        stuck = next(each for each in story["exports"] if each["status"] == "stuck")
        assert any(stuck["run_id"] in each and "does not end" in each for each in commands(story))


class TestWhatIsNotKnown:
    def test_a_catalog_that_refuses_leaves_the_exports_and_says_why(self, tell, emulator, clock):
        clock.advance(5 * HOUR)
        emulator.fail_next(403, times=99, match=f"GET {CATALOG}batches")
        story = tell()
        assert [each["status"] for each in story["exports"]] == ["good", "empty"]
        assert story["exports"][-1]["cause"]["kind"] == "unknown"
        (note,) = story["notes"]
        assert note.startswith("What was ingested into")
        assert "403" in note
        assert any(each.startswith("aep doctor") for each in commands(story))

    def test_a_dataset_that_is_gone_is_told(self, tell, emulator, orders, clock):
        clock.advance(2.2 * HOUR)
        emulator.add_rows(orders.id, 7)
        clock.advance(0.1 * HOUR)
        emulator.delete_dataset(orders.id)
        clock.advance(2.7 * HOUR)
        story = tell()
        assert any("deleted" in each or "not known" in each for each in story["notes"])

    def test_runs_that_cannot_be_read_are_no_good_news(self, tell, emulator, clock):
        clock.advance(5 * HOUR)
        emulator.fail_next(403, times=99, match="GET /runs")
        story = tell()
        assert (story["outcome"], story["exports"]) == ("fail", [])
        assert story["summary"].startswith("orders: its runs could not be read: ")
        assert any(each.startswith("aep doctor") for each in commands(story))

    @pytest.mark.parametrize("days", [0, 32, True, "7", "P32D", "PT36H"])
    def test_a_number_of_days_that_makes_no_sense_is_refused(self, tell, emulator, days):
        with pytest.raises(
            AepValidationError, match=r"--days must be a whole .*; at least 1, at most 31 days"
        ):
            tell(days=days)


class TestBounds:
    def test_thousands_of_batches_are_cut_and_it_says_so(self, tell, emulator, orders, clock):
        clock.advance(5 * HOUR)
        for _ in range(2500):
            emulator.add_rows(orders.id, 1)
        emulator.log.clear()
        story = tell()
        asked = [each for each in emulator.log if each.path.startswith(CATALOG)]
        assert len(asked) <= MOST_REQUESTS + 8
        assert len(story["ingestion"]) == MOST_BATCHES
        cut, told = story["notes"]
        assert cut == "Orders of a shop has more batches than were read: 1,500 are looked at."
        assert told == "Of 1,500 batches the newest 1,000 are listed one by one."
        assert len(story["lanes"]) < 10

    def test_odd_names_and_batches_stay_text(self, run, export, clock):
        moment = datetime.fromtimestamp(clock(), tz=UTC)
        flow = run(get_dataflow(export))
        odd = [
            batch(f"b{number}", at=moment, **given)
            for number, given in enumerate(
                (
                    {"ended_at": None, "created_at": None},
                    {"ended_at": moment + timedelta(days=400)},
                    {"records": None},
                    {"status": BatchStatus.GONE},
                    {"status": BatchStatus.UNKNOWN, "codes": ("'; rm -rf / #",)},
                )
            )
        ]
        dataset = CatalogDataset(id="d", name="x'; $(reboot) \n", is_snapshot=False, kept_for=None)
        story = story_of(
            Facts(
                flow=flow,
                timeline=timeline_of(flow, [], now=moment, known_from=moment - timedelta(days=9)),
                findings=(),
                ingested={"d": Ingested(dataset_id="d", batches=odd, is_complete=True, dataset=dataset)},
                since=moment - timedelta(days=7),
                now=moment,
                policy=AuditPolicy(),
                conn_id="x; reboot",
                sandbox="prod",
            )
        )
        assert {each["batch_id"] for each in story["ingestion"]} == {"b2", "b3", "b4"}
        assert "an unknown number of records" in str(story["lanes"])
        assert (story["totals"]["records_in"], story["totals"]["records_out"]) == (None, 0)


def batch(batch_id, *, at, **given):
    usual = {
        "status": BatchStatus.SUCCESS,
        "dataset_ids": ("d",),
        "created_at": at - timedelta(hours=1),
        "ended_at": at,
        "changed_at": at,
        "records": 5,
        "codes": (),
        "replaces": (),
        "is_replay": False,
        "data_until": None,
    }
    return Batch(id=batch_id, **{**usual, **given})


def test_a_check_of_the_same_window_comes_to_the_same(tell, run, export, emulator, orders, clock):
    emulator.script_runs(export, ["success", "withheld", "failed", "zero", "never"])
    clock.advance(2.2 * HOUR)
    emulator.add_rows(orders.id, 7)
    clock.advance(16 * HOUR)
    moment = datetime.fromtimestamp(clock(), tz=UTC)
    (checked,) = run(audit_exports(since=moment - timedelta(days=1), until=moment, now=moment)).exports
    story = tell(days=1)
    assert story["outcome"] == checked.outcome
    by_run = {each["run_id"] or each["tick"]: each for each in story["exports"]}
    for finding in checked.findings:
        told = by_run[finding.run_ids[0] if finding.run_ids else finding.tick.isoformat()]
        assert (told["outcome"], told["told"]) == (finding.outcome, finding.told)
        assert told["cause"] == (finding.cause.to_json() if finding.cause else None)

"""Why a run exported nothing: what was ingested into its datasets meanwhile."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_aep.flowservice.ingestion import Batch, CatalogDataset
from airflow_provider_aep.monitoring.alert_formats import as_html, as_line, as_slack, as_text
from airflow_provider_aep.monitoring.alert_messages import digest
from airflow_provider_aep.monitoring.alerts import Alert
from airflow_provider_aep.monitoring.audit import audit_exports
from airflow_provider_aep.monitoring.causes import cause_of
from airflow_provider_aep.monitoring.emptiness import believes_windows
from airflow_provider_aep.monitoring.owing import Ingested, Question, Snapshot
from airflow_provider_aep.monitoring.policy import AuditPolicy, RunPolicy
from benchmarks.checking import Sandbox

HOUR = 3600.0
START = datetime(2026, 11, 2, 6, tzinfo=UTC)
CATALOG = "/data/foundation/catalog/"


@pytest.fixture
def still(emulator):
    """A dataset that gains nothing by itself."""
    return emulator.add_dataset("Orders of a shop", kind="order", rows=50, hourly=0)


@pytest.fixture
def export(run, emulator, clock, now, still, make_dataflow, monkeypatch):
    """A three-hourly export of that dataset: its id. The first, full run is at 1:00, the next at 4:00."""
    monkeypatch.setattr(emulator, "datasets", lambda sandbox="prod": [still])
    return make_dataflow("orders", end=now + timedelta(days=90))


@pytest.fixture
def check(run, clock, now):
    """``check()``: what a check finds of the only export, from the third hour on."""

    def check(**runs):
        moment = datetime.fromtimestamp(clock(), tz=UTC)
        audit = run(
            audit_exports(
                since=now + timedelta(hours=3),
                until=moment,
                now=moment,
                policy=AuditPolicy(runs=RunPolicy(**runs)),
            )
        )
        (export,) = audit.exports
        return export

    return check


def cause_in(export):
    (finding,) = export.findings
    return finding.cause


def a_batch(batch_id, *, completed, **members):
    """A batch of dataset ``a``, opened five hours before ``START``."""
    if isinstance(completed, datetime):
        completed = int(completed.timestamp() * 1000)
    wire = {
        "created": int((START - timedelta(hours=5)).timestamp() * 1000),
        "completed": completed,
        "relatedObjects": [{"type": "dataSet", "id": "a"}],
        **members,
    }
    return Batch.from_api(batch_id, wire)


def told_of(*batches, delivered=True, under_way=False):
    """The cause of an empty run that began at ``START``, a day after the one before it."""
    question = Question(
        what="zero_records",
        dataset_ids=("a",),
        before={"a": Snapshot(START - timedelta(days=1), START - timedelta(hours=23))},
        delivered={"a": delivered},
        starts=START,
        ends=START + timedelta(minutes=5),
        under_way=under_way,
    )
    dataset = CatalogDataset.from_api("a", {"name": "A"})
    ingested = Ingested(dataset_id="a", batches=batches, is_complete=True, dataset=dataset)
    return cause_of(question, {"a": ingested}, margin=timedelta(hours=1), now=START + timedelta(hours=1))


def asked(emulator):
    return [each.path for each in emulator.log if each.path.startswith(CATALOG)]


class TestNothingWasIngested:
    def test_the_run_is_rightly_empty_and_alarms_nobody(self, export, check, clock):
        clock.advance(5 * HOUR)
        found = check()
        assert found.outcome == "ok"
        assert cause_in(found).kind == "nothing_ingested"
        assert (
            "nothing was ingested into Orders of a shop since the last good export at" in cause_in(found).told
        )

    def test_the_policy_may_mind_it_all_the_same(self, export, check, clock):
        clock.advance(5 * HOUR)
        assert check(on_zero_when_nothing_ingested="fail").outcome == "fail"

    def test_a_batch_that_the_last_export_has_delivered_does_not_count(
        self, export, emulator, still, check, clock
    ):
        clock.advance(0.5 * HOUR)
        emulator.add_rows(still.id, 10)
        clock.advance(4.5 * HOUR)
        assert cause_in(check()).kind == "nothing_ingested"

    def test_a_run_that_comes_after_the_empty_one_changes_nothing(
        self, export, emulator, still, check, clock
    ):
        clock.advance(5 * HOUR)
        emulator.add_rows(still.id, 10)
        assert cause_in(check()).kind == "nothing_ingested"


class TestIngestedAndNotExported:
    def test_it_fails_and_tells_how_many_batches_and_records(self, export, emulator, still, check, clock):
        emulator.script_runs(export, ["success", "withheld"])
        clock.advance(2.2 * HOUR)
        emulator.add_rows(still.id, 7)
        clock.advance(0.1 * HOUR)
        emulator.add_rows(still.id, 5)
        clock.advance(2.7 * HOUR)
        found = check()
        cause = cause_in(found)
        assert (found.outcome, cause.kind, cause.batches, cause.records) == ("fail", "not_exported", 2, 12)
        assert "2 batches with 12 records came into Orders of a shop from" in cause.told
        told = json.loads(json.dumps(found.to_json()))
        assert told["findings"][0]["cause"]["kind"] == told["verdicts"][0]["cause"]["kind"] == "not_exported"

    def test_it_fails_below_the_streak_too(self, export, emulator, still, check, clock):
        emulator.script_runs(export, ["success", "withheld"])
        clock.advance(2.2 * HOUR)
        emulator.add_rows(still.id, 7)
        clock.advance(2.8 * HOUR)
        assert check(zero_streak=5).outcome == "fail"

    def test_a_run_that_is_missing_is_measured_by_its_tick(self, export, emulator, still, check, clock):
        emulator.script_runs(export, ["success", "never"])
        clock.advance(2.2 * HOUR)
        emulator.add_rows(still.id, 7)
        clock.advance(4.6 * HOUR)
        found = check()
        missing = next(each for each in found.findings if each.kind == "missing")
        assert missing.cause.kind == "not_exported"
        assert missing.cause.told.endswith("and no run exported them")

    def test_what_a_run_that_is_missing_owed_may_have_been_exported_since(
        self, export, emulator, still, check, clock
    ):
        emulator.script_runs(export, ["success", "never", "success"])
        clock.advance(2.2 * HOUR)
        emulator.add_rows(still.id, 7)
        clock.advance(5.3 * HOUR)
        found = check()
        missing = next(each for each in found.findings if each.kind == "missing")
        assert missing.cause is None
        assert asked(emulator) == []

    def test_a_run_before_that_has_not_ended_may_still_export_them(self):
        batch = a_batch("b", completed=START - timedelta(hours=2), status="success", recordCount=5)
        told = {under_way: told_of(batch, under_way=under_way) for under_way in (False, True)}
        assert {under_way: cause.kind for under_way, cause in told.items()} == {
            False: "not_exported",
            True: "unknown",
        }
        assert "a run before may still export them" in told[True].told

    def test_a_run_before_that_has_not_ended_is_seen(self, export, emulator, still, check, clock):
        emulator.script_runs(export, ["success", "in_progress", "withheld"])
        clock.advance(2.2 * HOUR)
        emulator.add_rows(still.id, 7)
        clock.advance(5.8 * HOUR)
        empty = next(each for each in check().findings if each.kind == "zero_records")
        assert empty.cause.kind == "unknown"


class TestTooCloseToTell:
    @pytest.mark.parametrize("at", [1.3, 3.2, 3.9])
    def test_what_came_close_to_a_run_is_owed_by_nobody_for_certain(
        self, export, emulator, still, check, clock, at
    ):
        emulator.script_runs(export, ["success", "withheld"])
        clock.advance(at * HOUR)
        emulator.add_rows(still.id, 7)
        clock.advance((5 - at) * HOUR)
        found = check()
        assert (found.outcome, cause_in(found).kind) == ("warn", "too_close")

    def test_the_next_run_settles_it(self, export, emulator, still, run, clock, now):
        emulator.script_runs(export, ["success", "withheld", "zero"])
        clock.advance(3.9 * HOUR)
        emulator.add_rows(still.id, 7)
        clock.advance(4.1 * HOUR)
        moment = datetime.fromtimestamp(clock(), tz=UTC)
        (found,) = run(audit_exports(since=now + timedelta(hours=6), until=moment, now=moment)).exports
        assert cause_in(found).kind == "not_exported"

    def test_a_batch_that_was_still_open_when_the_run_ended_is_not_nothing(
        self, export, emulator, still, check, clock
    ):
        start = clock()
        emulator.add_batch(still.id, rows=9, opened=start + 2 * HOUR, completed=start + 4.8 * HOUR)
        clock.advance(5 * HOUR)
        assert cause_in(check()).kind == "too_close"


class TestIngestionFailed:
    def test_the_last_batches_and_their_codes_are_named(self, export, emulator, still, check, clock):
        clock.advance(2 * HOUR)
        for _ in range(2):
            emulator.add_batch(still.id, status="failed", errors=[{"code": "INGEST-1212-400"}])
        clock.advance(3 * HOUR)
        found = check()
        assert (found.outcome, cause_in(found).kind) == ("warn", "ingestion_failed")
        assert "the last 2 batches of Orders of a shop failed with INGEST-1212-400" in cause_in(found).told
        assert "cannot be told" not in cause_in(found).told

    def test_a_batch_that_may_have_been_lost_before_is_told_beside_them(
        self, export, emulator, still, check, clock
    ):
        emulator.script_runs(export, ["success", "withheld"])
        clock.advance(3.2 * HOUR)
        emulator.add_rows(still.id, 7)
        clock.advance(0.1 * HOUR)
        emulator.add_batch(still.id, status="failed", errors=[{"code": "INGEST-1212-400"}])
        clock.advance(1.7 * HOUR)
        cause = cause_in(check())
        assert cause.kind == "ingestion_failed"
        assert "whether an export owes 1 batch beside them cannot be told" in cause.told

    def test_a_batch_that_does_not_tell_its_end_may_have_been_the_last(self):
        failed = a_batch("a", completed=START - timedelta(hours=3), status="failed")
        endless = a_batch("b", completed=None, status="success", recordCount=5)
        assert told_of(failed).kind == "ingestion_failed"
        assert told_of(failed, endless).kind == "unknown"
        ahead = a_batch("b", completed=START + timedelta(days=400), status="success", recordCount=5)
        assert told_of(failed, ahead).kind == "unknown"


class TestNotKnown:
    def test_where_no_good_export_is_known_an_empty_one_settles_nothing_of_what_came_before(self):
        assert (told_of().kind, told_of().settles) == ("nothing_ingested", True)
        cause = told_of(delivered=False)
        assert (cause.kind, cause.settles) == ("nothing_ingested", False)
        assert "since the oldest run looked at" in cause.told
        assert cause.told.endswith("what came before it may not have been exported")

    @pytest.mark.parametrize(
        "members",
        [
            {"metrics": None, "recordCount": None},
            {"metrics": {"outputRecordCount": -1}, "recordCount": -1},
            {"metrics": {"outputRecordCount": 0}, "recordCount": 0},
            {"replay": {"predecessors": ["5911f88ae2f4bf657c5a8cb5"], "reason": "compaction"}},
            {"status": "deleted"},
            {"status": "of another age"},
            {"relatedObjects": None},
        ],
    )
    def test_an_odd_batch_proves_nothing(self, export, emulator, still, check, clock, members):
        emulator.script_runs(export, ["success", "zero"])
        clock.advance(2.2 * HOUR)
        emulator.add_batch(still.id, rows=3, **({"status": "success"} | members))
        clock.advance(2.8 * HOUR)
        found = check()
        assert (found.outcome, cause_in(found).kind) == ("warn", "unknown")

    @pytest.mark.parametrize("completed", [None, 1, 99_999_999_999_999, "soon", -1])
    def test_an_end_that_cannot_be_right_proves_nothing(self, completed):
        batch = a_batch("b", completed=completed, status="success", recordCount=5)
        assert told_of(batch).kind in ("unknown", "too_close")

    @pytest.mark.parametrize(
        ("changed", "kind"),
        [
            (None, "unknown"),
            (START - timedelta(hours=2), "unknown"),
            (START - timedelta(days=2), "nothing_ingested"),
        ],
    )
    def test_a_batch_that_was_opened_long_ago_may_have_ended_lately(self, changed, kind):
        """Where it does not tell its end, its last change does, at the latest."""
        opened = int((START - timedelta(days=3)).timestamp() * 1000)
        updated = int(changed.timestamp() * 1000) if changed else None
        batch = a_batch("b", completed=None, status="success", recordCount=5, created=opened, updated=updated)
        assert told_of(batch).kind == kind

    def test_what_was_replaced_proves_nothing(self, export, emulator, still, check, clock):
        emulator.script_runs(export, ["success", "zero"])
        clock.advance(2.2 * HOUR)
        first = emulator.add_batch(still.id, rows=3)
        emulator.add_batch(still.id, rows=3, replay={"predecessors": [first]})
        clock.advance(2.8 * HOUR)
        assert cause_in(check()).kind == "unknown"

    def test_a_profile_snapshot_proves_nothing(self, export, emulator, still, check, clock):
        still.schema = "https://ns.adobe.com/xdm/context/profile__union"
        emulator.script_runs(export, ["success", "zero"])
        clock.advance(2.2 * HOUR)
        emulator.add_rows(still.id, 7)
        clock.advance(2.8 * HOUR)
        assert cause_in(check()).kind == "unknown"

    @pytest.mark.parametrize("path", ["/batches", "/dataSets"])
    @pytest.mark.parametrize("status", [403, 404, 500])
    def test_a_catalog_that_refuses_changes_no_verdict(self, export, emulator, check, clock, path, status):
        clock.advance(5 * HOUR)
        emulator.tick()
        emulator.fail_next(status, times=99, match=f"catalog{path}")
        found = check()
        # A dataset that is not there is told as such.
        kind = "window" if (path, status) == ("/dataSets", 404) else "unknown"
        assert (found.outcome, cause_in(found).kind) == ("warn", kind)

    @pytest.mark.parametrize("word", ["startedAtUTC", "completedAtUTC"])
    @pytest.mark.parametrize("at", [1, 253402300799999])
    def test_a_run_at_an_impossible_moment_hides_no_export(
        self, export, emulator, check, clock, monkeypatch, word, at
    ):
        clock.advance(5 * HOUR)
        emulator.tick()
        send = emulator.send

        def answer(request):
            reply = send(request)
            if not request.path.startswith("/runs"):
                return reply
            told = json.loads(reply.body)
            told["items"][0]["metrics"]["durationSummary"][word] = at
            return type(reply)(reply.status, reply.headers, json.dumps(told).encode())

        monkeypatch.setattr(emulator, "send", answer)
        assert check().dataflow.id == export

    @pytest.mark.parametrize("body", [[], [{}], {"items": []}, {"a": 1}, "<html>"])
    def test_an_answer_of_another_shape_changes_no_verdict(self, export, emulator, check, clock, body):
        clock.advance(5 * HOUR)
        emulator.tick()
        emulator.fail_next(200, times=99, match="catalog/batches", body=body)
        found = check()
        assert (found.outcome, cause_in(found).kind) == ("warn", "unknown")

    def test_a_catalog_that_reads_the_window_in_another_unit_is_not_believed(
        self, export, emulator, still, check, clock
    ):
        emulator.script_runs(export, ["success", "withheld"])
        clock.advance(2.2 * HOUR)
        emulator.add_rows(still.id, 7)
        clock.advance(2.8 * HOUR)
        emulator.enter("batch-window-in-seconds")
        found = check()
        assert (found.outcome, cause_in(found).kind) == ("warn", "unknown")
        assert "an empty listing proves nothing" in cause_in(found).told

    @pytest.mark.parametrize("body", [{"error": {"code": "403"}}, {"_page": {"count": 0}}])
    def test_an_error_in_place_of_batches_proves_nothing_of_the_window(self, run, emulator, still, now, body):
        emulator.fail_next(200, times=1, match="catalog/batches", body=body)
        assert not run(believes_windows([], until=now, may_ask=True))
        odd = Batch.from_api(*next(iter(body.items())))
        read = [Ingested(dataset_id="a", batches=(odd,)), Ingested(dataset_id="b")]
        assert not run(believes_windows(read, until=now, may_ask=False))

    @pytest.mark.parametrize(
        ("times", "kind"),
        [
            ({}, "unknown"),
            ({"completed": "2026-12-01T10:00:00Z"}, "unknown"),
            ({"updated": "too late"}, "unknown"),
            ({"updated": 2}, "unknown"),
            ({"updated": 1}, "nothing_ingested"),
        ],
    )
    def test_a_batch_opened_before_the_last_export_may_have_been_completed_after_it(self, times, kind):
        start = datetime(2026, 12, 1, 12, tzinfo=UTC)
        last = start - timedelta(days=1)
        moments = {1: last - timedelta(hours=1), 2: last + timedelta(hours=5)}
        told = {
            name: int(moments[at].timestamp() * 1000) if at in moments else at for name, at in times.items()
        }
        wire = {
            "status": "success",
            "created": int((last - timedelta(hours=2)).timestamp() * 1000),
            "recordCount": 5,
            "relatedObjects": [{"type": "dataSet", "id": "a"}],
            **told,
        }
        question = Question(
            what="zero_records",
            dataset_ids=("a",),
            before={"a": Snapshot(last, last + timedelta(hours=1))},
            delivered={"a": True},
            starts=start,
            ends=start + timedelta(minutes=5),
        )
        ingested = Ingested(
            dataset_id="a",
            batches=(Batch.from_api("b", wire),),
            is_complete=True,
            dataset=CatalogDataset.from_api("a", {"name": "A"}),
        )
        cause = cause_of(question, {"a": ingested}, margin=timedelta(hours=1), now=start + timedelta(hours=1))
        assert cause.kind == kind

    def test_that_the_window_is_understood_is_asked_once(self, export, emulator, check, clock):
        clock.advance(5 * HOUR)
        check()
        first = len(asked(emulator))
        emulator.log.clear()
        assert cause_in(check()).kind == "nothing_ingested"
        assert (first, len(asked(emulator))) == (3, 2)

    def test_rows_that_expire_may_leave_a_full_export_empty(
        self, run, emulator, still, clock, now, make_dataflow
    ):
        emulator.datasets()[0].kept_for = "P3M"
        emulator.script_runs(make_dataflow("orders", every="once"), ["zero"])
        clock.advance(5 * HOUR)
        moment = datetime.fromtimestamp(clock(), tz=UTC)
        (found,) = run(audit_exports(since=now, until=moment, now=moment)).exports
        empty = next(each for each in found.findings if each.kind == "zero_records")
        assert empty.cause.kind == "unknown"
        assert "expire after P3M" in empty.cause.told

    def test_ten_thousand_batches_end_in_a_bound(self, export, emulator, still, check, clock):
        start = clock()
        for number in range(1000):
            emulator.add_batch(still.id, opened=start + 4 * HOUR - number, status="failed")
        clock.advance(5 * HOUR)
        assert cause_in(check()).kind == "unknown"
        assert len(asked(emulator)) <= 8

    def test_a_full_export_delivers_what_is_old_too(
        self, run, emulator, still, clock, now, make_dataflow, check
    ):
        emulator.datasets()[0].rows = 50
        emulator.script_runs(make_dataflow("orders", every="once"), ["zero"])
        clock.advance(5 * HOUR)
        moment = datetime.fromtimestamp(clock(), tz=UTC)
        (found,) = run(audit_exports(since=now, until=moment, now=moment)).exports
        empty = next(each for each in found.findings if each.kind == "zero_records")
        assert (empty.outcome, empty.cause.kind) == ("fail", "not_exported")


class TestTheWindow:
    def test_a_dataset_that_was_deleted_is_named(self, export, emulator, still, check, clock):
        clock.advance(2 * HOUR)
        emulator.delete_dataset(still.id)
        clock.advance(3 * HOUR)
        found = check()
        assert (found.outcome, cause_in(found).kind) == ("warn", "window")
        assert (
            "it was deleted, has expired, is in another sandbox, or carries a label" in cause_in(found).told
        )

    def test_events_that_are_older_than_a_year_are_not_exported(self, export, emulator, still, check, clock):
        clock.advance(2.2 * HOUR)
        long_ago = int((clock() - 400 * 86400) * 1000)
        emulator.script_runs(export, ["zero"])
        emulator.add_batch(still.id, rows=8, availableDates={"startDate": long_ago, "endDate": long_ago})
        clock.advance(2.8 * HOUR)
        assert cause_in(check()).kind == "window"


class TestAlerts:
    def test_an_alert_says_why(self, export, emulator, still, check, clock):
        emulator.script_runs(export, ["success", "withheld"])
        clock.advance(2.2 * HOUR)
        emulator.add_rows(still.id, 7)
        clock.advance(2.8 * HOUR)
        verdict = check().to_json()["verdicts"][0]
        alert = Alert.from_verdict(verdict, status="zero_records", text="empty")
        (message,) = digest([alert])
        for told in (as_line(message), as_text(message), as_html(message), json.dumps(as_slack(message))):
            assert "Why" in told
            assert "1 batch with 7 records came into Orders of a shop" in told
        assert message.to_json()["alerts"][0]["cause"]["told"].startswith("1 batch with 7 records")


class TestRequests:
    def test_a_check_that_finds_nothing_wrong_does_not_ask_the_catalog(
        self, make_dataflow, emulator, run, clock, now
    ):
        for number in range(5):
            make_dataflow(f"export {number}", end=now + timedelta(days=90))
        clock.advance(8 * HOUR)
        moment = datetime.fromtimestamp(clock(), tz=UTC)
        assert run(audit_exports(since=now, until=moment, now=moment)).outcome == "ok"
        assert asked(emulator) == []

    @pytest.mark.parametrize("ingested", [True, False])
    def test_ten_empty_exports_of_ten_datasets_cost_no_more_than_ten_requests(
        self, emulator, run, clock, now, make_dataflow, monkeypatch, ingested
    ):
        for number in range(10):
            mine = emulator.add_dataset(f"Dataset {number}", kind="order", rows=50, hourly=0)
            monkeypatch.setattr(emulator, "datasets", lambda sandbox="prod", mine=mine: [mine])
            flow = make_dataflow(f"export {number}", end=now + timedelta(days=90))
            emulator.script_runs(flow, ["success", "withheld"])
        clock.advance(2.2 * HOUR)
        if ingested:
            for dataset in emulator._lake.datasets("prod")[-10:]:
                emulator.add_rows(dataset.id, 5)
        clock.advance(2.8 * HOUR)
        moment = datetime.fromtimestamp(clock(), tz=UTC)
        emulator.tick()
        emulator.log.clear()
        audit = run(audit_exports(since=now + timedelta(hours=3), until=moment, now=moment))
        kinds = {cause_in(each).kind for each in audit.exports}
        assert kinds == ({"not_exported"} if ingested else {"nothing_ingested"})
        assert len(asked(emulator)) <= 10

    @pytest.mark.parametrize("lost", [False, True], ids=["nothing ingested", "ingested"])
    def test_a_check_of_100_exports_sends_no_more_than_before_and_one_for_each_empty_one(self, lost):
        """4 is what it took before the Catalog was ever asked: dataflows, datasets, two pages of runs."""
        well, audit = Sandbox("1d", empty=0, lost=False, days=2).check()
        assert (len(audit.exports), audit.outcome, well) == (100, "ok", 4)
        requests, audit = Sandbox("1d", empty=10, lost=lost, days=2).check()
        kinds = [finding.cause.kind for export in audit.exports for finding in export.findings]
        assert kinds == 10 * ["not_exported" if lost else "nothing_ingested"]
        assert requests <= well + 10

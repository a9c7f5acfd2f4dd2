"""When dataflows export, and how runs move on. Time moves only when a test moves it."""

from __future__ import annotations

import pytest

HOUR = 3600
CRM, LOYALTY = "5ef3e3259ad2a1191ab7dd7d", "5ef3e324ab7dd7d3259a1191"
PRODUCTS = "6501aa10c2d3e4f5061728a3"


def metrics(run):
    return run["metrics"]


def status(run):
    return run["metrics"]["statusSummary"]["status"]


def outcome(run):
    return run["metrics"]["recordSummary"].get("outputRecordCount", 0)


@pytest.fixture
def instant(make_caller):
    """A caller of an emulator whose runs take no time."""
    return make_caller(run_seconds=0)


def test_there_is_no_run_before_the_first_scheduled_time(api):
    flow = api.export()["flow"]
    api.clock.advance(HOUR - 1)
    assert api.runs(flow) == []
    api.clock.advance(1)
    assert len(api.runs(flow)) == 1


def test_a_run_is_in_progress_and_then_done(api):
    flow = api.export()["flow"]
    api.clock.advance(HOUR)
    (running,) = api.runs(flow)
    started = metrics(running)["durationSummary"]["startedAtUTC"]
    assert started == api.clock.now * 1000
    assert status(running) == "processing"
    assert set(metrics(running)) == {"durationSummary", "statusSummary"}
    assert running["activities"] == []
    api.clock.advance(HOUR / 20)
    (done,) = api.runs(flow)
    assert done["id"] == running["id"]
    assert done["etag"] != running["etag"]
    assert status(done) == "success"
    assert metrics(done)["durationSummary"] == {"startedAtUTC": started, "completedAtUTC": started + 180_000}


def test_a_flow_ticks_every_interval(instant):
    flow = instant.export()["flow"]
    instant.clock.advance(HOUR + 4 * 3 * HOUR)
    starts = [metrics(run)["durationSummary"]["startedAtUTC"] for run in instant.runs(flow)]
    assert [(each - starts[0]) / 1000 / HOUR for each in starts] == [0, 3, 6, 9, 12]


def test_an_hour_can_last_two_seconds(make_caller):
    api = make_caller(hour=2.0, run_seconds=0)
    flow = api.export(startTime=int(api.clock.now))["flow"]
    api.clock.advance(12)
    starts = [metrics(run)["durationSummary"]["startedAtUTC"] for run in api.runs(flow)]
    assert [each - starts[0] for each in starts] == [0, 6000, 12000]


def test_a_start_in_the_past_exports_at_once_and_counts_from_there(instant):
    flow = instant.export(startTime=int(instant.clock.now) - 10_000)["flow"]
    created = instant.clock.now * 1000
    instant.clock.advance(3 * HOUR)
    starts = [metrics(run)["durationSummary"]["startedAtUTC"] for run in instant.runs(flow)]
    assert starts == [created, created + 3 * HOUR * 1000]


def test_an_export_once_happens_once(instant):
    flow = instant.export(exportMode="DAILY_FULL_EXPORT", timeUnit="day", interval=0)["flow"]
    instant.wait(days=30)
    assert len(instant.runs(flow)) == 1


def test_exports_just_stop_at_the_end_time(instant):
    end = int(instant.clock.now) + 8 * HOUR
    flow = instant.export(endTime=end)["flow"]
    instant.wait(days=2)
    runs = instant.runs(flow)
    assert len(runs) == 3  # after 1, 4 and 7 hours
    assert {status(run) for run in runs} == {"success"}


def test_a_disabled_flow_misses_its_ticks_and_goes_on_with_the_next(instant):
    flow = instant.export()["flow"]
    instant.clock.advance(HOUR)
    instant.call("POST", f"/flows/{flow}/action", params={"op": "disable"})
    instant.clock.advance(7 * HOUR)
    assert len(instant.runs(flow)) == 1
    instant.call("POST", f"/flows/{flow}/action", params={"op": "enable"})
    assert len(instant.runs(flow)) == 1
    instant.clock.advance(2 * HOUR)
    first, second = instant.runs(flow)
    assert second["createdAt"] - first["createdAt"] == 9 * HOUR * 1000


def test_a_new_schedule_counts_from_its_new_start(instant):
    flow = instant.export()["flow"]
    instant.clock.advance(HOUR)
    later = instant.schedule(interval=6, startTime=int(instant.clock.now) + 2 * HOUR)
    assert (
        instant.patch(f"/flows/{flow}", {"op": "replace", "path": "/scheduleParams", "value": later}).status
        == 200
    )
    instant.clock.advance(8 * HOUR)
    created = [run["createdAt"] for run in instant.runs(flow)]
    assert [(each - created[0]) / 1000 / HOUR for each in created] == [0, 2, 8]


def test_a_new_end_alone_does_not_start_the_schedule_anew(instant):
    flow = instant.export(startTime=int(instant.clock.now))["flow"]
    instant.clock.advance(HOUR)
    end = int(instant.clock.now) + 24 * HOUR
    instant.patch(f"/flows/{flow}", {"op": "replace", "path": "/scheduleParams/endTime", "value": end})
    assert len(instant.runs(flow)) == 1


def test_the_first_export_is_everything_and_the_next_only_what_was_added(instant):
    flow = instant.export(CRM)["flow"]
    instant.clock.advance(HOUR)
    rows = instant.emulator.count_rows(CRM)
    (first,) = instant.runs(flow)
    assert outcome(first) == rows > 1000
    instant.clock.advance(3 * HOUR)
    grown = instant.emulator.count_rows(CRM) - rows
    assert outcome(instant.runs(flow)[1]) == grown > 0


def test_rows_can_be_added_by_hand(instant):
    flow = instant.export(PRODUCTS)["flow"]
    instant.clock.advance(HOUR)
    instant.emulator.add_rows(PRODUCTS, 41)
    instant.clock.advance(3 * HOUR)
    assert [outcome(run) for run in instant.runs(flow)] == [310, 41]


def test_a_dataset_that_never_grows_gives_an_honest_run_without_records(instant):
    export = instant.export(PRODUCTS)
    instant.clock.advance(4 * HOUR)
    empty = instant.runs(export["flow"])[1]
    # Source: export datasets tutorial: no output keys, five milliseconds.
    assert metrics(empty)["sizeSummary"] == {"inputBytes": 0}
    assert metrics(empty)["recordSummary"] == {
        "inputRecordCount": 0,
        "skippedRecordCount": 0,
        "sourceSummaries": [
            {
                "id": export["source"],
                "inputRecordCount": 0,
                "skippedRecordCount": 0,
                "entitySummaries": [
                    {"id": f"dataset:{PRODUCTS}", "inputRecordCount": 0, "skippedRecordCount": 0}
                ],
            }
        ],
    }
    assert status(empty) == "success"
    assert "fileSummary" not in metrics(empty)


def test_a_run_without_records_takes_five_milliseconds(api):
    flow = api.export(PRODUCTS)["flow"]
    api.clock.advance(4 * HOUR + 1)
    times = metrics(api.runs(flow)[1])["durationSummary"]
    assert times["completedAtUTC"] - times["startedAtUTC"] == 5


def test_two_emulators_with_one_seed_tell_the_same_story(make_caller):
    def story(seed):
        api = make_caller(seed=seed, run_seconds=0)
        flow = api.export(CRM, LOYALTY)["flow"]
        api.wait(days=1)
        return api.runs(flow)

    assert story(1) == story(1)
    assert [outcome(run) for run in story(1)] != [outcome(run) for run in story(2)]


def test_a_whole_run_looks_like_the_references_printed_one(instant):
    export = instant.export(CRM, LOYALTY)
    instant.clock.advance(HOUR)
    crm, loyalty = (instant.emulator.count_rows(each) for each in (CRM, LOYALTY))
    (run,) = instant.runs(export["flow"])
    # Source: Destinations API reference, the printed successful run.
    assert set(run) == {
        *("id", "createdAt", "updatedAt", "createdBy", "updatedBy", "createdClient", "updatedClient"),
        *("sandboxId", "sandboxName", "imsOrgId", "flowId", "flowSpec", "providerRefId", "etag"),
        *("metrics", "activities"),
    }
    assert run["createdClient"] == "aep_activation_batch"
    assert run["updatedBy"] == "acp_foundation_connectors@AdobeID"
    assert run["flowSpec"] == {"id": "269ba276-16fc-47db-92b0-c1049a3c131f", "version": "1.0"}
    records = metrics(run)["recordSummary"]
    assert (records["inputRecordCount"], records["outputRecordCount"]) == (crm + loyalty, crm + loyalty)
    assert records["createdRecordCount"] == crm + loyalty
    assert records["skippedRecordCount"] == 0
    (source,), (target,) = records["sourceSummaries"], records["targetSummaries"]
    assert (source["id"], target["id"]) == (export["source"], export["target"])
    assert [each["id"] for each in target["entitySummaries"]] == [f"dataset:{CRM}", f"dataset:{LOYALTY}"]
    assert [each["outputRecordCount"] for each in target["entitySummaries"]] == [crm, loyalty]
    assert metrics(run)["fileSummary"]["outputFileCount"] >= 2
    assert metrics(run)["sizeSummary"]["outputBytes"] > 0
    assert metrics(run)["statusSummary"]["activityRefs"] == [each["id"] for each in run["activities"]]
    assert [each["name"] for each in run["activities"]] == [
        "Activation Batch XdmProcessor Activity",
        "Activation Batch Publisher Activity",
    ]


def test_a_flow_tells_its_last_run_and_gets_a_new_etag_with_it(instant):
    export = instant.export()
    instant.clock.advance(HOUR)
    (run,) = instant.runs(export["flow"])
    flow = instant.one(f"/flows/{export['flow']}")
    assert flow["lastRunDetails"] == {"id": run["id"], "state": "success", **metrics(run)["durationSummary"]}
    assert flow["updatedClient"] == "acp_foundation_connectors"
    assert flow["etag"] != export["etag"]


def test_runs_can_be_filtered_by_flow_and_start(instant):
    first, second = instant.export()["flow"], instant.export()["flow"]
    instant.clock.advance(4 * HOUR)
    assert {run["flowId"] for run in instant.runs(second)} == {second}
    since = metrics(instant.runs(first)[1])["durationSummary"]["startedAtUTC"]
    found = instant.get(
        "/runs",
        ("property", f"flowId=={first}"),
        ("property", f"metrics.durationSummary.startedAtUTC>={since}"),
    )
    assert len(found["items"]) == 1
    assert instant.one(f"/runs/{found['items'][0]['id']}") == found["items"][0]


def test_there_may_be_one_run_for_each_dataset(make_caller):
    api = make_caller(run_per_dataset=True, run_seconds=0)
    flow = api.export(CRM, LOYALTY)["flow"]
    api.clock.advance(HOUR)
    told = [metrics(run)["recordSummary"]["targetSummaries"][0]["entitySummaries"] for run in api.runs(flow)]
    assert [[each["id"] for each in entities] for entities in told] == [
        [f"dataset:{CRM}"],
        [f"dataset:{LOYALTY}"],
    ]


class TestScriptedRuns:
    def test_a_failed_run_has_errors_and_no_counts_and_leaves_its_rows_to_the_next(self, instant):
        flow = instant.export(CRM)["flow"]
        instant.emulator.script_runs(flow, ["failed"])
        instant.clock.advance(4 * HOUR)
        failed, next_one = instant.runs(flow)
        # Source: Destinations API reference, the printed failed run.
        aborted = {"code": "ACTIVATION_BATCH-0000-FAILED", "message": "Job aborted."}
        assert metrics(failed)["statusSummary"]["status"] == "failed"
        assert metrics(failed)["statusSummary"]["errors"] == [aborted]
        assert metrics(failed)["recordSummary"]["failedInfo"] == [aborted]
        assert set(metrics(failed)) == {"durationSummary", "recordSummary", "statusSummary"}
        assert "outputRecordCount" not in metrics(failed)["recordSummary"]
        assert failed["activities"][0]["statusSummary"]["extensions"]["errors"] == [aborted]
        assert outcome(next_one) == instant.emulator.count_rows(CRM)

    def test_the_flow_remembers_a_failed_run(self, instant):
        flow = instant.export()["flow"]
        instant.emulator.script_runs(flow, ["failed"])
        instant.clock.advance(HOUR)
        assert instant.one(f"/flows/{flow}")["lastRunDetails"]["state"] == "failed"

    def test_a_partial_run_tells_how_many_failed(self, instant):
        flow = instant.export(PRODUCTS)["flow"]
        instant.emulator.script_runs(flow, ["partial"])
        instant.clock.advance(HOUR)
        (run,) = instant.runs(flow)
        records = metrics(run)["recordSummary"]
        assert status(run) == "partialSuccess"
        assert records["failedRecordCount"] == 16
        assert (records["inputRecordCount"], records["outputRecordCount"]) == (310, 294)
        assert metrics(run)["statusSummary"]["errors"][0]["count"] == 16

    def test_a_late_run_appears_more_than_150_minutes_after_its_tick(self, instant):
        flow = instant.export()["flow"]
        instant.emulator.script_runs(flow, ["late"])
        instant.clock.advance(HOUR + 150 * 60)
        assert instant.runs(flow) == []
        instant.clock.advance(20 * 60)
        (run,) = instant.runs(flow)
        assert run["createdAt"] == instant.clock.now * 1000
        assert status(run) == "success"

    def test_a_run_may_stay_in_progress_until_it_is_told_to_end(self, instant):
        flow = instant.export(CRM)["flow"]
        instant.emulator.script_runs(flow, ["in_progress"])
        instant.clock.advance(HOUR + 100)
        rows = instant.emulator.count_rows(CRM)
        (run,) = instant.runs(flow)
        assert status(run) == "processing"
        instant.emulator.finish_run(run["id"], "success")
        (done,) = instant.runs(flow)
        assert outcome(done) == rows
        assert metrics(done)["durationSummary"]["completedAtUTC"] == instant.clock.now * 1000
        with pytest.raises(KeyError, match="No run"):
            instant.emulator.finish_run(run["id"])

    def test_a_zero_run_can_be_had_for_any_dataset(self, instant):
        flow = instant.export(CRM)["flow"]
        instant.emulator.script_runs(flow, ["zero"])
        instant.clock.advance(4 * HOUR)
        zero, next_one = instant.runs(flow)
        assert metrics(zero)["sizeSummary"] == {"inputBytes": 0}
        assert outcome(next_one) == instant.emulator.count_rows(CRM)

    def test_odd_documents_are_odd(self, instant):
        flow = instant.export(CRM)["flow"]
        kinds = [
            "success_with_errors",
            "null_metrics",
            "negative_counts",
            "unknown_status",
            "reference_spelling",
        ]
        instant.emulator.script_runs(flow, kinds)
        instant.clock.advance(13 * HOUR)
        warned, null, negative, unknown, spelled = instant.runs(flow)
        assert status(warned) == "success"
        assert metrics(warned)["statusSummary"]["errors"]
        assert null["metrics"] is None
        assert metrics(negative)["sizeSummary"]["inputBytes"] == -1
        assert status(unknown) == "reconciling"
        assert status(spelled) == "Success"
        assert "stoppedAtUTC" in metrics(spelled)["durationSummary"]
        assert "completedAtUTC" not in metrics(spelled)["durationSummary"]

    @pytest.mark.parametrize(
        "kind", ["null_metrics", "negative_counts", "unknown_status", "reference_spelling", "partial"]
    )
    def test_odd_documents_are_odd_without_records_too(self, instant, kind):
        flow = instant.export(PRODUCTS)["flow"]
        instant.emulator.script_runs(flow, ["success", kind])
        instant.clock.advance(4 * HOUR)
        assert len(instant.runs(flow)) == 2

    def test_a_script_names_a_flow_by_id_or_name_or_means_any(self, instant):
        instant.emulator.script_runs(None, ["failed"])
        instant.emulator.script_runs("crm-nightly", ["partial"])
        flow = instant.export()["flow"]
        instant.emulator.script_runs(flow, ["unknown_status"])
        instant.clock.advance(10 * HOUR)
        assert [status(run) for run in instant.runs(flow)] == [
            "reconciling",
            "partialSuccess",
            "failed",
            "success",
        ]

    def test_an_unknown_kind_is_told_at_once(self, emulator):
        with pytest.raises(ValueError, match="No such kind of run: great"):
            emulator.script_runs(None, ["great"])


def test_a_run_can_be_forced(instant):
    flow = instant.export(PRODUCTS)["flow"]
    (run_id,) = instant.emulator.run_now(flow)
    assert instant.one(f"/runs/{run_id}")["flowId"] == flow
    instant.clock.advance(HOUR)
    assert [outcome(run) for run in instant.runs(flow)] == [310, 0]


def test_deleting_a_flow_aborts_what_is_under_way_and_keeps_its_runs(api):
    flow = api.export()["flow"]
    api.clock.advance(HOUR)
    api.call("DELETE", f"/flows/{flow}")
    (run,) = api.runs(flow)
    assert status(run) == "failed"
    api.wait(days=1)
    assert len(api.runs(flow)) == 1


def test_years_of_ticks_are_caught_up_with(instant):
    flow = instant.export(PRODUCTS, endTime=None)["flow"]
    instant.wait(days=365)
    for _ in range(4):
        instant.get("/flows")
    last = instant.runs(flow)
    assert len(last) == 20
    assert instant.get("/runs", ("count", "true")) == {"count": 1448}

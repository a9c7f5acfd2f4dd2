"""Creating, changing and deleting, held to the Destinations API reference and its guides."""

from __future__ import annotations

import re
import time

import pytest

ETAG = re.compile(r'"[0-9a-f]{8}-0000-0200-0000-[0-9a-f]{12}"')
SLUGS = ["s3", "azure_blob", "adls_gen2", "data_landing_zone", "gcs", "sftp"]


# Creating


@pytest.mark.parametrize("slug", SLUGS)
def test_every_destination_takes_the_tutorials_four_bodies(api, slug):
    export = api.export(slug=slug)
    assert api.one(f"/flows/{export['flow']}")["state"] == "enabled"


def test_creation_answers_the_id_and_an_etag_with_its_quotes(api):
    answer = api.call("POST", "/connections", json=api.base_body())
    assert answer.status == 201
    assert set(answer.json) == {"id", "etag"}
    assert ETAG.fullmatch(answer.json["etag"])
    # Source: Sources API reference.
    assert answer.headers["location"].endswith(
        f"/data/foundation/flowservice/connections/{answer.json['id']}"
    )


def test_an_entity_shows_who_made_it_where_and_when(api, emulator):
    made = api.post("/connections", api.base_body())
    entity = api.one(f"/connections/{made['id']}")
    assert entity["createdAt"] == entity["updatedAt"] == api.clock.now * 1000
    assert entity["createdClient"] == emulator.client_id
    assert entity["sandboxName"] == "prod"
    assert entity["imsOrgId"] == emulator.org_id
    assert entity["state"] == "enabled"
    assert entity["version"] == entity["etag"] == made["etag"]


def test_a_body_cannot_forge_what_the_service_decides(api):
    made = api.post("/connections", {**api.base_body(), "id": "mine", "sandboxName": "dev", "createdAt": 0})
    assert made["id"] != "mine"
    entity = api.one(f"/connections/{made['id']}")
    assert (entity["sandboxName"], entity["createdAt"]) == ("prod", api.clock.now * 1000)


def test_a_read_by_id_is_wrapped_or_bare_as_the_emulator_is_told(api, make_caller):
    made = api.post("/connections", api.base_body())
    assert api.get(f"/connections/{made['id']}")["items"][0]["id"] == made["id"]
    bare = make_caller(bare_entities=True)
    made = bare.post("/connections", bare.base_body())
    assert bare.get(f"/connections/{made['id']}")["id"] == made["id"]


def test_a_read_of_a_base_connection_shows_no_login_but_the_day_it_was_granted(api):
    made = api.post("/connections", api.base_body())
    assert api.one(f"/connections/{made['id']}")["auth"] == {
        "specName": "Access Key",
        "params": {"s3AccessKey": "****", "s3SecretKey": "****", "authorizedDate": "2026-01-01"},
    }


def test_a_source_connection_shows_a_base_connection_that_nobody_sent(api):
    made = api.post("/sourceConnections", api.source_body())
    source = api.one(f"/sourceConnections/{made['id']}")
    base = source["inheritedAttributes"]["baseConnection"]
    assert source["baseConnectionId"] == base["id"]
    assert base["connectionSpec"]["id"] == "23598e46-f560-407b-88d5-ea6207e49db0"
    assert api.get("/connections")["items"] == []


def test_a_flow_shows_what_it_inherits(api):
    export = api.export()
    flow = api.one(f"/flows/{export['flow']}")
    lake = {"id": "23598e46-f560-407b-88d5-ea6207e49db0", "version": "1.0"}
    s3 = {"id": "4fce964d-3f37-408f-9778-e597338a21ee", "version": "1.0"}
    assert flow["inheritedAttributes"] == {
        "properties": {"isDestinationFlow": True},
        "sourceConnections": [{"id": export["source"], "connectionSpec": lake}],
        "targetConnections": [
            {
                "id": export["target"],
                "connectionSpec": s3,
                "baseConnection": {"id": export["base"], "connectionSpec": s3},
                "data": {"outputType": "DATASET_EXPORT"},
            }
        ],
    }
    assert flow["runs"] == f"/runs?property=flowId=={export['flow']}"
    assert flow["lastOperation"]["operation"] == "create"
    assert flow["lastOperation"]["status"]["value"] == "completed"
    assert "lastRunDetails" not in flow


def test_names_are_not_unique(api):
    first = api.post("/connections", api.base_body())
    second = api.post("/connections", api.base_body())
    assert first["id"] != second["id"]
    assert len(api.get("/connections", ("property", "name==crm-account"))["items"]) == 2


def test_the_landing_zone_takes_no_login_or_an_empty_one(api, code):
    body = api.base_body("data_landing_zone")
    api.post("/connections", body)
    api.post("/connections", {**body, "auth": None})
    login = {"specName": "Access Key", "params": {}}
    assert code(api.call("POST", "/connections", json={**body, "auth": login})) == "FLOW-1415-400"


def test_a_connection_without_a_spec_version_is_unprocessable(api):
    body = api.base_body()
    del body["connectionSpec"]["version"]
    answer = api.call("POST", "/connections", json=body)
    # Source: Destinations API reference, in the older shape.
    assert answer.status == 422
    assert set(answer.json) == {"errorMessage", "errorDetails"}


@pytest.mark.parametrize(
    ("path", "spec_id"),
    [
        ("/connections", "00000000-0000-0000-0000-000000000000"),
        ("/connections", "23598e46-f560-407b-88d5-ea6207e49db0"),
        ("/sourceConnections", "4fce964d-3f37-408f-9778-e597338a21ee"),
        ("/targetConnections", "4890fc95-5a1f-4983-94bb-e060c08e3f81"),
    ],
)
def test_an_unknown_spec_is_refused_in_the_references_words(api, path, spec_id):
    body = {**api.source_body(), "connectionSpec": {"id": spec_id, "version": "1.0"}}
    answer = api.call("POST", path, json=body)
    assert answer.status == 400
    assert answer.json == {"message": "Please provide a valid spec id"}


def test_the_flow_spec_of_audience_exports_is_not_one_for_datasets(api):
    body = api.flow_body("source", "target")
    body["flowSpec"]["id"] = "1a0514a6-33d4-4c7f-aff8-594799c47549"
    assert api.call("POST", "/flows", json=body).json == {"message": "Please provide a valid spec id"}


def test_a_wrong_auth_spec_name_is_told(api, code):
    body = api.base_body()
    body["auth"]["specName"] = "Basic Authentication"
    assert code(api.call("POST", "/connections", json=body)) == "FLOW-1415-400"


@pytest.mark.parametrize(
    ("slug", "params"),
    [
        ("s3", {"s3AccessKey": "too short"}),
        ("s3", {"s3SecretKey": "abcd" * 10 + "\n"}),
        ("s3", {"s3AccessKey": None}),
        ("sftp", {"password": 1234}),
    ],
)
def test_a_login_that_breaks_its_spec_is_refused_without_being_quoted(api, code, slug, params):
    body = api.base_body(slug)
    body["auth"]["params"] |= params
    answer = api.call("POST", "/connections", json=body)
    assert code(answer) == "FLOW-9400-400"
    assert not any(str(value) in answer.body.decode() for value in params.values() if value)


def test_a_missing_login_parameter_is_named(api):
    body = api.base_body()
    del body["auth"]["params"]["s3SecretKey"]
    answer = api.call("POST", "/connections", json=body)
    assert answer.json["errorMessage"] == "/auth/params/s3SecretKey is required"


def test_the_file_type_of_audience_exports_is_neither_demanded_nor_refused(api):
    # Source: export datasets tutorial: "required", and "not applicable to dataset destinations".
    base = api.post("/connections", api.base_body())["id"]
    api.post("/targetConnections", api.target_body(base))
    api.post("/targetConnections", api.target_body(base, fileType="PARQUET"))


@pytest.mark.parametrize(
    "params",
    [
        {"bucketName": "Not_A_Bucket"},
        {"path": "with blank/x y"},
        {"path": "%DATASET_ID%"},
        {"datasetFileType": "CSV"},
        {"compression": "gzip"},
        {"compression": None},
    ],
)
def test_a_target_that_breaks_its_spec_is_refused(api, code, params):
    base = api.post("/connections", api.base_body())["id"]
    assert (
        code(api.call("POST", "/targetConnections", json=api.target_body(base, **params))) == "FLOW-9400-400"
    )


def test_a_path_that_would_keep_the_published_pattern_busy_for_ages_is_judged_at_once(api):
    base = api.post("/connections", api.base_body())["id"]
    began = time.process_time()
    for path in ("%SEGMENT_ID%/" * 100 + "|", "/" * 8000 + "|"):
        assert api.call("POST", "/targetConnections", json=api.target_body(base, path=path)).status == 400
    assert time.process_time() - began < 1
    api.post("/targetConnections", api.target_body(base, path="aep/%SEGMENT_ID%//%SEGMENT_NAME%"))


def test_uncompressed_json_passes_unless_the_emulator_is_told_otherwise(api, make_caller, code):
    # Source: export datasets tutorial, whose text forbids it and whose samples send it.
    api.export(params={"datasetFileType": "JSON", "compression": "NONE"})
    strict = make_caller(reject_uncompressed_json=True)
    base = strict.post("/connections", strict.base_body())["id"]
    body = strict.target_body(base, datasetFileType="JSON", compression="NONE")
    assert code(strict.call("POST", "/targetConnections", json=body)) == "FLOW-9400-400"


def test_strangers_ids_are_refused(api, code):
    export = api.export()
    refused = [
        ("/sourceConnections", api.source_body("00aa00aa00aa00aa00aa00aa")),
        ("/targetConnections", api.target_body("a stranger")),
        ("/targetConnections", api.target_body(export["base"], "gcs")),
        ("/flows", api.flow_body("a stranger", export["target"])),
        ("/flows", api.flow_body(export["source"], "a stranger")),
        ("/flows", api.flow_body(export["source"], export["target"], "gcs")),
    ]
    for path, body in refused:
        assert code(api.call("POST", path, json=body)) == "FLOW-9400-400", body


def test_a_name_is_required(api, code):
    assert code(api.call("POST", "/connections", json={**api.base_body(), "name": ""})) == "FLOW-9400-400"


def test_a_flow_body_may_not_decide_the_state(api, code):
    body = {**api.flow_body("source", "target"), "state": "disabled"}
    assert code(api.call("POST", "/flows", json=body)) == "FLOW-1410-400"


# Schedules


FULL, INCREMENTAL = "DAILY_FULL_EXPORT", "FIRST_FULL_THEN_INCREMENTAL"


@pytest.mark.parametrize(
    ("mode", "unit", "interval"),
    [
        (FULL, "day", 0),
        (INCREMENTAL, "day", 1),
        (None, "day", 0),
        (None, "hour", 6),
        (INCREMENTAL, "hour", "3"),
    ]
    + [(INCREMENTAL, "hour", hours) for hours in (1, 3, 6, 8, 9, 12, 24)],
)
def test_an_allowed_schedule_is_kept_as_it_was_sent(api, mode, unit, interval):
    export = api.export(exportMode=mode, timeUnit=unit, interval=interval)
    assert api.one(f"/flows/{export['flow']}")["scheduleParams"] == api.schedule(
        exportMode=mode, timeUnit=unit, interval=interval
    )


@pytest.mark.parametrize(
    "schedule",
    [
        {"interval": 2},
        {"interval": 0},
        {"interval": True},
        {"timeUnit": "day", "interval": 3},
        {"timeUnit": "week", "interval": 1},
        {"exportMode": FULL},
        {"exportMode": FULL, "timeUnit": "day", "interval": 1},
        {"exportMode": "ONCE"},
        {"timeUnit": None},
        {"startTime": None},
        {"startTime": 1_767_225_600_000},
        {"startTime": "soon"},
        {"endTime": 1},
        {"foldernameTemplate": 5},
    ],
)
def test_a_schedule_outside_the_table_is_refused(api, code, schedule):
    export = api.export()
    body = api.flow_body(export["source"], export["target"], **schedule)
    assert code(api.call("POST", "/flows", json=body)) == "FLOW-9400-400"


@pytest.mark.parametrize(("unit", "interval"), [("hour", 2), ("week", 1), ("minute", 15), ("day", 7)])
def test_a_cadence_of_no_document_passes_where_the_emulator_is_told_so(make_caller, unit, interval):
    lenient = make_caller(any_cadence=True)
    export = lenient.export(timeUnit=unit, interval=interval)
    kept = lenient.one(f"/flows/{export['flow']}")["scheduleParams"]
    assert (kept["timeUnit"], kept["interval"]) == (unit, interval)


def test_an_end_that_is_left_out_becomes_six_months_after_creation(api):
    # Source: export datasets tutorial, the notice about default end times.
    export = api.export(endTime=None)
    assert api.one(f"/flows/{export['flow']}")["scheduleParams"]["endTime"] == 1_782_864_000  # 1 July 2026


# Changing


def test_a_patch_answers_a_new_etag_and_the_old_one_no_longer_works(api, code):
    export = api.export()
    path, rename = f"/flows/{export['flow']}", {"op": "replace", "path": "/name", "value": "renamed"}
    answer = api.patch(path, rename, if_match=export["etag"])
    assert answer.status == 200
    assert set(answer.json) == {"id", "etag"}
    assert answer.json["etag"] != export["etag"]
    assert api.one(path)["name"] == "renamed"
    assert api.one(path)["lastOperation"]["operation"] == "update"
    again = api.patch(path, rename, if_match=export["etag"])
    assert code(again) == "FLOW-1404-412"
    # Source: Destinations API reference: these words, the etags in their own quotes.
    assert again.json["errorMessage"] == (
        f"Supplied version=[{export['etag']}] does not match the current version on "
        f"entity=[{answer.json['etag']}]"
    )


def test_an_etag_without_its_quotes_is_another_etag(api, code):
    export = api.export()
    path, rename = f"/flows/{export['flow']}", {"op": "replace", "path": "/name", "value": "renamed"}
    assert code(api.patch(path, rename, if_match=export["etag"].strip('"'))) == "FLOW-1404-412"
    assert code(api.patch(path, rename, if_match="")) == "FLOW-1403-400"


def test_a_background_change_moves_the_etag(api, emulator, code):
    export = api.export()
    moved = emulator.touch("flows", export["flow"])
    flow = api.one(f"/flows/{export['flow']}")
    assert flow["etag"] == moved != export["etag"]
    assert flow["updatedClient"] == "acp_foundation_connectors"


@pytest.mark.parametrize("word", ["replace", "Replace", "REPLACE", "add"])
def test_the_case_of_an_operation_does_not_matter(api, word):
    export = api.export()
    path = f"/flows/{export['flow']}"
    assert api.patch(path, {"op": word, "path": "/name", "value": "renamed"}).status == 200
    assert api.one(path)["name"] == "renamed"


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "move", "path": "/name", "value": "x"}, "FLOW-1434-400"),
        ({"op": "replace", "path": "/colour", "value": "x"}, "FLOW-1455-400"),
        ({"op": "replace", "path": "/description", "value": "x"}, "FLOW-1455-400"),
        ({"op": "remove", "path": "/scheduleParams/exportModes"}, "FLOW-1455-400"),
        ({"op": "replace", "path": "/scheduleParams/startTime/deep", "value": 1}, "FLOW-1455-400"),
        ({"op": "replace", "path": "/sourceConnectionIds/7", "value": "x"}, "FLOW-1455-400"),
        ({"op": "replace", "path": "/state", "value": "disabled"}, "FLOW-1455-400"),
        ({"op": "replace", "path": "/connectionSpec/id", "value": "x"}, "FLOW-1414-400"),
        ({"op": "replace", "path": "/scheduleParams", "value": {"startTime": 1}}, "FLOW-9400-400"),
        ({"op": "replace", "path": "/scheduleParams/interval", "value": 5}, "FLOW-9400-400"),
        ({"op": "replace", "path": "/sourceConnectionIds", "value": ["a stranger"]}, "FLOW-9400-400"),
    ],
)
def test_a_patch_that_cannot_be_applied_changes_nothing(api, code, operation, expected):
    export = api.export()
    path = f"/flows/{export['flow']}"
    assert code(api.patch(path, {"op": "replace", "path": "/name", "value": "x"}, operation)) == expected
    assert api.one(path)["etag"] == export["etag"]
    assert api.one(path)["name"] == "crm-nightly"


def test_an_empty_patch_is_refused(api, code):
    export = api.export()
    assert code(api.patch(f"/flows/{export['flow']}")) == "FLOW-1405-400"


def test_replacing_params_replaces_all_of_them(api):
    export = api.export()
    path = f"/targetConnections/{export['target']}"
    place = {"bucketName": "other", "path": "x"}
    # Source: "Edit destination connections" guide, whose sample forgets the formats of a dataset export.
    assert api.patch(path, {"op": "replace", "path": "/params", "value": place}).status == 400
    whole = {**place, "compression": "GZIP", "datasetFileType": "JSON"}
    assert api.patch(path, {"op": "replace", "path": "/params", "value": whole}).status == 200
    assert api.one(path)["params"] == whole
    assert api.patch(path, {"op": "replace", "path": "/params/path", "value": "y"}).status == 200
    assert api.one(path)["params"] == {**whole, "path": "y"}


def test_a_login_is_replaced_as_a_whole(api):
    made = api.post("/connections", api.base_body())
    path = f"/connections/{made['id']}"
    for login, status in (
        ({"s3AccessKey": "AKIA2345ABCDEFGH2346", "s3SecretKey": "dcba" * 10}, 200),
        ({"s3SecretKey": "dcba" * 10}, 400),
        ({"accessId": "the guide's", "secretKey": "wrong keys"}, 400),
    ):
        assert api.patch(path, {"op": "add", "path": "/auth/params", "value": login}).status == status


def test_the_datasets_of_a_source_connection_are_fixed(api, code):
    export = api.export()
    path = f"/sourceConnections/{export['source']}"
    assert (
        code(api.patch(path, {"op": "replace", "path": "/params/datasets", "value": []})) == "FLOW-9400-400"
    )
    assert api.patch(path, {"op": "replace", "path": "/name", "value": "renamed"}).status == 200


# Enabling and disabling


def test_a_flow_can_be_disabled_and_enabled_and_each_moves_its_etag(api):
    export = api.export()
    etags = [export["etag"]]
    for word, state in (("disable", "disabled"), ("enable", "enabled")):
        answer = api.call("POST", f"/flows/{export['flow']}/action", params={"op": word})
        assert answer.status == 200
        assert answer.json["id"] == export["flow"]
        etags.append(answer.json["etag"])
        assert api.one(f"/flows/{export['flow']}")["state"] == state
    assert len(set(etags)) == 3


def test_an_action_that_does_not_apply_is_refused(api, code):
    path = f"/flows/{api.export()['flow']}/action"
    assert code(api.call("POST", path, params={"op": "enable"})) == "FLOW-1422-400"
    assert code(api.call("POST", path, params={"op": "dance"})) == "FLOW-1407-400"
    assert code(api.call("POST", path)) == "FLOW-2119-400"


def test_a_new_flow_may_be_initializing_for_a_while(make_caller, code):
    api = make_caller(initializing_seconds=60)
    flow = f"/flows/{api.export(startTime=1)['flow']}"
    assert api.one(flow)["state"] == "initializing"
    rename = {"op": "replace", "path": "/name", "value": "renamed"}
    assert code(api.patch(flow, rename)) == "FLOW-1417-400"
    assert code(api.call("DELETE", flow)) == "FLOW-1417-400"
    assert code(api.call("POST", f"{flow}/action", params={"op": "disable"})) == "FLOW-1420-400"
    assert api.get("/runs")["items"] == []
    api.clock.advance(60)
    assert api.one(flow)["state"] == "enabled"
    assert len(api.get("/runs")["items"]) == 1
    assert api.patch(flow, rename).status == 200


# Deleting


def test_what_is_deleted_is_gone(api, code):
    export = api.export()
    for path in (
        f"/flows/{export['flow']}",
        f"/targetConnections/{export['target']}",
        f"/sourceConnections/{export['source']}",
        f"/connections/{export['base']}",
    ):
        answer = api.call("DELETE", path)
        assert (answer.status, answer.body) == (202, b"")
        gone = api.call("GET", path)
        assert code(gone) == "FLOW-1439-404"
        kind, entity_id = path.strip("/").split("/")
        # Source: access labels guide, the printed 404.
        assert gone.json["report"]["type"] == kind
        assert gone.json["report"]["id"] == entity_id
        assert gone.json["report"]["request-id"]
        assert gone.json["title"] == "Resource not found"
        assert gone.json["errorMessage"] == (
            f"The requested {kind} resource {entity_id} is not found. "
            "Verify the resource ID before trying again."
        )
        assert code(api.call("DELETE", path)) == "FLOW-1439-404"


def test_what_a_flow_uses_cannot_be_deleted(api, code):
    export = api.export()
    # Source: Flow Service error table, 1418 and 1447.
    assert code(api.call("DELETE", f"/connections/{export['base']}")) == "FLOW-1418-400"
    assert code(api.call("DELETE", f"/targetConnections/{export['target']}")) == "FLOW-1447-400"
    assert code(api.call("DELETE", f"/sourceConnections/{export['source']}")) == "FLOW-1447-400"


def test_deleting_a_flow_leaves_its_connections(api):
    export = api.export()
    api.call("DELETE", f"/flows/{export['flow']}")
    for kind in ("sourceConnections", "connections", "targetConnections"):
        assert len(api.get(f"/{kind}")["items"]) == 1


def test_runs_cannot_be_created(api, code):
    answer = api.call("POST", "/runs", json={"flowId": "any"})
    assert code(answer) == "FLOW-1427-400"


def test_a_connection_can_be_tested(api, code):
    made = api.post("/connections", api.base_body())
    assert api.get(f"/connections/{made['id']}/test") == {"result": True}
    assert code(api.call("GET", "/connections/unknown/test")) == "FLOW-1439-404"


@pytest.mark.parametrize("body", [None, [], "text", 7, {"connectionSpec": []}, {"name": "x", "auth": 3}])
@pytest.mark.parametrize("path", ["/connections", "/sourceConnections", "/targetConnections", "/flows"])
def test_nonsense_is_refused_and_never_breaks_the_emulator(api, path, body):
    assert api.call("POST", path, json=body).status == 400

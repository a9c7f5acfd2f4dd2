"""A spec is read whole or refused whole, whatever stands in the document."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import example as with_example
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.exports.spec import (
    SCHEMA_FILE,
    DatasetRef,
    ExportSpec,
    parse_spec,
    parse_specs,
)
from airflow_provider_aep.flowservice.cadences import CADENCES
from airflow_provider_aep.flowservice.connections import SEGMENT_PARAMS, get_connection_spec
from airflow_provider_aep.flowservice.destinations import DESTINATIONS, S3
from airflow_provider_aep.flowservice.schedule import Schedule
from tests.unit.exports.documents import changed_document
from tests.unit.exports.strategies import LOCATIONS, specs

SCHEMA = json.loads(SCHEMA_FILE.read_text())
PAGE = Path(__file__).parents[3] / "docs" / "export-spec.md"
SECRET = "hunter2-Z9"

NIGHTLY: dict[str, Any] = {
    "name": "crm-nightly",
    "datasets": ["5ef3e3259ad2a1191ab7dd7d", {"name": "Loyalty Profiles"}],
    "destination": {
        "type": "s3",
        "credentials_conn_id": "crm_bucket",
        "params": {"bucketName": "acme-exports", "path": "aep/crm", "datasetFileType": "PARQUET"},
    },
    "schedule": {"every": "3h", "start": "2026-12-01T00:00:00Z", "end": "2027-06-01T00:00:00Z"},
}


def changed(**changes: Any) -> dict[str, Any]:
    """The nightly export with other values; ``a__b`` is the key b of a, and ``...`` takes a key away."""
    return changed_document(NIGHTLY, **changes)


def told(document: object, **options: Any) -> dict[str, str]:
    """What a document is refused for: pointer -> rule."""
    with pytest.raises(AepValidationError) as refused:
        parse_spec(document, **options)
    return {problem.pointer: problem.message for problem in refused.value.problems}


def test_a_spec_is_read():
    spec = parse_spec(changed(owner="crm-team", sandbox="prod", adopt="7f1c9d3e"))
    assert spec == ExportSpec(
        name="crm-nightly",
        owner="crm-team",
        description=None,
        sandbox="prod",
        datasets=(DatasetRef(id="5ef3e3259ad2a1191ab7dd7d"), DatasetRef(name="Loyalty Profiles")),
        destination=S3,
        credentials_conn_id="crm_bucket",
        base_connection_id=None,
        target_params=NIGHTLY["destination"]["params"],
        schedule=Schedule(
            every="3h", start=datetime(2026, 12, 1, tzinfo=UTC), end=datetime(2027, 6, 1, tzinfo=UTC)
        ),
        adopt="7f1c9d3e",
    )
    assert spec.warnings() == []
    assert len({spec, parse_spec(spec.to_json())}) == 1


def test_what_is_left_out_has_its_default():
    spec = parse_spec(changed(schedule="3h"))
    assert (spec.owner, spec.sandbox, spec.description, spec.adopt) == ("airflow", None, None, None)
    assert spec.schedule == Schedule(every="3h")


def test_none_says_not_given():
    given = changed(sandbox=None, owner=None, destination__base_connection_id=None, schedule__end=None)
    assert parse_spec(given) == parse_spec(changed(schedule__end=...))


def test_times_may_be_what_yaml_makes_of_them():
    start, end = datetime(2026, 12, 1, 1, tzinfo=UTC), date(2027, 6, 1)
    schedule = parse_spec(changed(schedule__start=start, schedule__end=end)).schedule
    assert (schedule.start, schedule.end) == (start, datetime(2027, 6, 1, tzinfo=UTC))


def test_the_record_does_not_change_with_the_document():
    document = changed()
    spec = parse_spec(document)
    document["destination"]["params"]["path"] = "elsewhere"
    spec.to_json()["destination"]["params"]["path"] = "elsewhere"
    assert spec.target_params["path"] == "aep/crm"


def test_an_export_that_is_over_still_reads():
    over = changed(schedule={"every": "3h", "start": "2020-01-01", "end": "2020-06-01"})
    assert parse_spec(over).schedule.end == datetime(2020, 6, 1, tzinfo=UTC)


ID_RULE = "must be an id: letters, digits, '-', '_' and '.' only, at most 128 characters"
EVERY_RULE = "must be one of once, 1h, 3h, 6h, 9h, 12h, 1d"
ONE_LOGIN = "must have exactly one of credentials_conn_id and base_connection_id"


@pytest.mark.parametrize(
    ("changes", "pointer", "rule"),
    [
        ({"name": ...}, "/name", "is missing"),
        ({"name": "  "}, "/name", "must not be empty"),
        ({"name": ""}, "/name", "must not be empty"),
        ({"name": "a\nb"}, "/name", "must not contain line breaks or control characters"),
        ({"name": "x" * 256}, "/name", "must be at most 255 characters long"),
        ({"name": True}, "/name", "must be a text: put it in quotes"),
        ({"owner": "crm team"}, "/owner", "must be 1 to 64 characters: letters, digits,"),
        ({"owner": "crm\n"}, "/owner", "must not contain line breaks"),
        ({"owner": "x" * 65}, "/owner", "must be 1 to 64 characters"),
        ({"sandbox": "Prod"}, "/sandbox", "must be the name of a sandbox"),
        ({"description": "x" * 1001}, "/description", "must be at most 1000 characters long"),
        ({"description": "x" * 10001}, "/description", "must be at most 10000 characters long"),
        ({"adopt": "a/b"}, "/adopt", ID_RULE),
        ({"adopt": ".."}, "/adopt", ID_RULE),
        ({"datasets": []}, "/datasets", "must not be empty"),
        ({"datasets": "5ef3"}, "/datasets", "must be a list"),
        ({"datasets": [7]}, "/datasets/0", "must be a text or a dict: put it in quotes"),
        ({"datasets": [None]}, "/datasets/0", "must be a text or a dict"),
        ({"datasets": ["a b"]}, "/datasets/0", ID_RULE),
        ({"datasets": [{"id": "a/b"}]}, "/datasets/0/id", ID_RULE),
        ({"datasets": [{}]}, "/datasets/0", "must have an id or a name"),
        ({"datasets": [{"nme": "x", "id": "a"}]}, "/datasets/0/nme", "is not known (did you mean 'name'?)"),
        ({"datasets": ["a", "b", "a"]}, "/datasets/2", "names a dataset that the list has already"),
        (
            {"datasets": [{"name": "x"}, {"name": "x"}]},
            "/datasets/1",
            "names a dataset that the list has already",
        ),
        ({"datasets": [{"name": "x"}, {"id": "a", "name": "x"}]}, "/datasets/0", ""),
        ({"datasets": [f"d{n}" for n in range(1001)]}, "/datasets", "must have at most 1000 entries"),
        ({"destination": "s3"}, "/destination", "must be a dict"),
        ({"destination__type": "s4"}, "/destination/type", "must be one of s3, azure_blob,"),
        ({"destination__type": ["s3"]}, "/destination/type", "must be a text"),
        ({"destination__params": ...}, "/destination/params", "is missing"),
        ({"destination__base_connection_id": "x"}, "/destination", ONE_LOGIN),
        ({"destination__credentials_conn_id": ...}, "/destination", ONE_LOGIN),
        (
            {"destination__credentials_conn_id": "a b"},
            "/destination/credentials_conn_id",
            "must be the id of",
        ),
        (
            {
                "destination": {
                    **NIGHTLY["destination"],
                    "credentials_conn_id": None,
                    "base_connection_id": "..",
                }
            },
            "/destination/base_connection_id",
            ID_RULE,
        ),
        (
            {"destination__type": "data_landing_zone"},
            "/destination/credentials_conn_id",
            "must not be given: Adobe owns the storage of data_landing_zone",
        ),
        ({"destination__params__path": ...}, "/destination/params/path", "is missing"),
        (
            {"destination__params__path": 7},
            "/destination/params/path",
            "must be a text: put it in quotes",
        ),
        (
            {"destination__params__datasetFileType": "CSV"},
            "/destination/params/datasetFileType",
            "must be one of",
        ),
        (
            {"destination__params__compression": "gzip"},
            "/destination/params/compression",
            "must be one of NONE, GZIP",
        ),
        ({"destination__params__password": SECRET}, "/destination/params/password", "belongs to the login"),
        (
            {"destination__params__fileType": "CSV"},
            "/destination/params/fileType",
            "applies to audience exports",
        ),
        ({"destination__pth": "x"}, "/destination/pth", "is not known"),
        ({"schedule": "1w"}, "/schedule", EVERY_RULE),
        ({"schedule": "367d"}, "/schedule", EVERY_RULE),
        ({"schedule__every": "1.5h"}, "/schedule/every", EVERY_RULE),
        ({"schedule__every": ...}, "/schedule/every", "is missing"),
        ({"schedule__evry": "3h"}, "/schedule/evry", "is not known (did you mean 'every'?)"),
        ({"schedule__timeUnit": "hour"}, "/schedule/timeUnit", "is not known"),
        ({"schedule__start": "soon"}, "/schedule/start", "must be a moment such as"),
        ({"schedule__start": True}, "/schedule/start", "must be a text or a number"),
        ({"schedule__end": "2026-11-01"}, "/schedule/end", "must be later than the start"),
        ({"schedule__folder_template": ""}, "/schedule/folder_template", "must not be empty"),
        ({"sandbx": "prod"}, "/sandbx", "is not known (did you mean 'sandbox'?)"),
        ({"exports": []}, "/exports", "holds several specs, where one is expected"),
        ({"name": date(2026, 1, 1)}, "/name", "must be a text: put it in quotes"),
        (
            {"destination__params__x": float("nan")},
            "/destination/params/x",
            "must be a number of at most 64 bits",
        ),
        (
            {"destination__params__x": 10**5000},
            "/destination/params/x",
            "must be a number of at most 64 bits",
        ),
        ({"destination__params__x": b"x"}, "/destination/params/x", "must be a text, a number,"),
        ({"destination__params__x": "\ud800"}, "/destination/params/x", "must be Unicode text"),
        ({"destination__params__x": "a\nb"}, "/destination/params/x", "must not contain line breaks"),
        ({"destination__params__x": [[0] * 6000]}, "/", "has more than 5000 values"),
    ],
)
def test_a_broken_rule_is_told_by_place(changes, pointer, rule):
    problems = told(changed(**changes))
    assert rule in problems[pointer]
    assert list(problems) == [pointer]
    assert SECRET not in str(problems)


@pytest.mark.parametrize("slug", DESTINATIONS)
def test_each_storage_needs_its_place(slug):
    destination = {"type": slug, "base_connection_id": "9a2f5d1c", "params": {}}
    missing = {*LOCATIONS[slug], "datasetFileType"}
    assert told(changed(destination=destination)) == {
        f"/destination/params/{key}": "is missing" for key in missing
    }


def test_the_landing_zone_needs_no_login():
    params = {"path": "aep", "datasetFileType": "JSON"}
    spec = parse_spec(changed(destination={"type": "data_landing_zone", "params": params}))
    assert (spec.credentials_conn_id, spec.base_connection_id) == (None, None)


def test_all_problems_are_told_at_once_with_place_and_name():
    broken = changed(
        owner="a b", sandbx="x", schedule={"every": "2w", "start": "2027-01-01", "end": "2026-01-01"}
    )
    with pytest.raises(AepValidationError, match="4 problems with export spec 'crm-nightly'") as refused:
        parse_spec(broken, place="exports.yaml[2]")
    assert [problem.pointer for problem in refused.value.problems] == [
        "exports.yaml[2]/owner",
        "exports.yaml[2]/sandbx",
        "exports.yaml[2]/schedule/end",
        "exports.yaml[2]/schedule/every",
    ]


def test_a_pointer_is_escaped():
    assert list(told(changed(**{"a/b~": 1}))) == ["/a~1b~0"]


def test_a_misspelt_parameter_is_named_where_one_is_missing():
    params = {"bucketname": "b", "path": "p", "datasetFileType": "JSON"}
    problems = told(changed(destination__params=params))
    assert problems == {"/destination/params/bucketName": "is missing (is it 'bucketname'?)"}


def test_many_unknown_keys_are_counted_rather_than_listed():
    problems = told(changed(**{f"k{index}": 1 for index in range(4000)}))
    assert len(problems) == 11
    assert problems["/"] == "has 3990 more keys that are not known"


def test_what_is_odd_is_warned_of():
    spec = parse_spec(
        changed(
            schedule="3h",
            destination__params__datasetFileType="JSON",
            destination__params__compression="NONE",
            destination__params__includeFileManifest=True,
            destination__params__compresion="GZIP",
        )
    )
    end, json_none, unknown = spec.warnings()
    assert "no end is given" in end
    assert "GZIP is the documented choice" in json_none
    assert (
        unknown == "destination: params has compresion, which is not documented (did you mean 'compression'?)"
    )


@pytest.mark.parametrize(
    "document",
    [
        "{{ params.spec }}",
        changed(name="{{ dag.dag_id }}"),
        changed(owner="{{ a\n b }}"),
        changed(datasets="{{ ids }}"),
        changed(datasets=["{{ a }}", "{{ a }}"]),
        changed(datasets=[{"name": "{{ a }}"}, {"name": "{{ a }}"}]),
        changed(destination__type="{{ kind }}"),
        changed(destination="{% if x %}{% endif %}"),
        changed(schedule="{{ often }}"),
        changed(schedule__start="{{ ds }}", schedule__end="{{ ds }}"),
        changed(destination__params__datasetFileType="{{ x }}"),
        changed(description="{{ x }}"),
    ],
)
def test_a_template_waits_until_it_is_rendered(document):
    assert parse_spec(document, templated=True) is None


def test_what_is_no_template_is_judged_beside_templates():
    document = changed(owner="{{ x }}", sandbox="Prod", schedule__start="{{ ds }}", schedule__end="soon", a=1)
    assert set(told(document, templated=True)) == {"/sandbox", "/schedule/end", "/a"}
    assert "/owner" in told(document)


def test_a_spec_without_templates_is_read_in_either_way():
    assert parse_spec(NIGHTLY, templated=True) == parse_spec(NIGHTLY)


def test_a_description_may_have_lines():
    assert parse_spec(changed(description="one\ntwo\n")).description == "one\ntwo\n"


@pytest.mark.parametrize("key", ["x" * 129, "a\nb", "\ud800"])
def test_a_key_that_cannot_be_printed_is_told_by_its_place(key):
    (problem,) = told(changed(destination__params__x={key: 1})).items()
    assert problem[0] == "/destination/params/x"
    assert problem[1].startswith("has a key with control characters, or of more than 128")


def test_a_name_that_was_rendered_to_a_number_is_a_text():
    assert parse_spec(changed(name=2026)).name == "2026"


# --- any value in any place

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(), max_size=30),
    st.just("{{ x }}"),
    st.just("x" * 100_000),
    st.just(10**4000),  # hypothesis itself cannot print more
    st.binary(max_size=3),
    st.datetimes(),
    st.dates(),
)
anything = st.recursive(
    odd,
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.dictionaries(
            st.text(st.characters(), max_size=6) | st.integers() | st.none(), inside, max_size=4
        )
    ),
    max_leaves=12,
)
PLACES = [
    (),
    *[(key,) for key in SCHEMA["definitions"]["export"]["properties"]],
    ("datasets", 0),
    ("datasets", 1, "name"),
    ("datasets", 1, "id"),
    *[("destination", key) for key in SCHEMA["definitions"]["destination"]["properties"]],
    ("destination", "params", "bucketName"),
    ("destination", "params", "x"),
    *[("schedule", key) for key in ("every", "start", "end", "timezone", "folder_template", "x")],
]


def put(path: tuple[Any, ...], value: object) -> object:
    document: Any = changed()
    if not path:
        return value
    inside = document
    for part in path[:-1]:
        inside = inside[part]
    inside[path[-1]] = value
    return document


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(path=st.sampled_from(PLACES), value=anything, templated=st.booleans())
@with_example(path=("schedule", "start"), value=datetime(1697, 1, 1, 0, 0, 0, 1, tzinfo=UTC), templated=False)
def test_anything_anywhere_is_a_spec_or_a_validation_error(path, value, templated):
    try:
        spec = parse_spec(put(path, value), templated=templated)
    except AepValidationError as error:
        str(error).encode()
    else:
        assert spec is None or parse_spec(json.loads(json.dumps(spec.to_json()))) == spec


def deep(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


def exploding() -> object:
    value: object = "x"
    for _ in range(20):
        value = [value] * 10
    return value


def endless() -> object:
    value: dict[str, object] = {}
    value["self"] = value
    return value


@pytest.mark.parametrize("path", PLACES, ids=str)
@pytest.mark.parametrize(
    "hostile", [deep(100_000), exploding(), endless(), "%SEGMENT_ID%/" * 700 + "!!" * 200, [{}] * 4900]
)
def test_a_hostile_value_is_refused_in_no_time(path, hostile):
    began = time.process_time()  # on a busy machine, other processes take time as well
    try:
        parse_spec(put(path, hostile))
    except AepValidationError:
        pass
    else:
        assert path[:2] in {("destination", "params")}  # Adobe may know what we do not
    assert time.process_time() - began < 1


@given(spec=specs())
def test_a_spec_survives_being_told_as_json(spec):
    document = spec.to_json()
    assert parse_spec(json.loads(json.dumps(document))) == spec
    assert parse_spec(yaml.safe_load(yaml.safe_dump(document))) == spec
    assert list(Draft7Validator(SCHEMA).iter_errors(document)) == []


# --- several


def test_what_goes_alone_may_not_go_together():
    pair = [
        changed(sandbox="prod"),
        changed(sandbox="dev"),
        changed(),
    ]
    assert len(parse_specs(pair)) == 3
    with pytest.raises(AepValidationError, match="the export specs") as refused:
        parse_specs([*pair, changed(sandbox="prod", owner="other"), changed(owner="a b")])
    assert {problem.pointer: problem.message for problem in refused.value.problems} == {
        "[3]/name": "is in use at [0] in the same sandbox; choose another, even for another owner",
        "[4]/owner": "must be 1 to 64 characters: letters, digits, '_', '.', '@' and '-' only",
    }


def test_a_dataflow_is_adopted_once():
    with pytest.raises(AepValidationError) as refused:
        parse_specs([changed(adopt="f1"), changed(name="b", adopt="f1")], places=["a.yaml", "b.yaml"])
    (problem,) = refused.value.problems
    assert str(problem) == "b.yaml/adopt names a dataflow that a.yaml adopts already"


def test_a_sandbox_holds_a_hundred_exports():
    hundred = [changed(name=f"e{index}", sandbox="prod") for index in range(100)]
    assert len(parse_specs([*hundred, changed(sandbox="dev"), changed()])) == 102
    with pytest.raises(AepValidationError) as refused:
        parse_specs([*hundred, changed(sandbox="prod")])
    (problem,) = refused.value.problems
    assert str(problem) == "[100] is one of 101 exports for sandbox 'prod'; Adobe allows 100"


def test_one_broken_spec_of_several_is_named():
    with pytest.raises(AepValidationError, match="1 problem with export spec 'b'"):
        parse_specs([changed(), changed(name="b", owner="")])


@pytest.mark.parametrize("documents", [None, "x", {}, 7])
def test_several_specs_are_a_list(documents):
    with pytest.raises(AepValidationError, match="must be a list of specs"):
        parse_specs(documents)


# --- the schema that editors use


def valid(document: object) -> bool:
    return bool(Draft7Validator(SCHEMA).is_valid(document))


def test_the_schema_is_a_schema_and_its_examples_are_valid():
    Draft7Validator.check_schema(SCHEMA)
    for example in SCHEMA["examples"]:
        assert valid(example)
        assert parse_specs(example.get("exports", [example]))


def test_an_editor_sees_one_spec_or_several():
    assert valid(NIGHTLY)
    assert valid({"exports": [NIGHTLY, NIGHTLY]})
    assert not valid({"exports": [NIGHTLY], "name": "x"})
    assert not valid({"exports": []})
    assert not valid({})


def test_an_editor_sees_most_of_what_we_refuse():
    for changes in (
        {"sandbx": "x"},
        {"destination__type": "data_landing_zone"},
        {"destination__base_connection_id": "x"},
        {"destination__params__path": ...},
        {"destination__x": 1},
        {"schedule": "1w"},
        {"schedule__evry": "3h"},
        {"datasets": [{"nme": "x"}]},
    ):
        assert not valid(changed(**changes)), changes
    assert valid(changed(destination__params__adobes_next="x"))


def properties(node: object) -> list[tuple[str, Any]]:
    if isinstance(node, list):
        return [found for item in node for found in properties(item)]
    if not isinstance(node, dict):
        return []
    inside = node.get("properties", {})
    own = [(name, told) for name, told in inside.items() if isinstance(told, dict) and "const" not in told]
    return own + [found for key, value in node.items() if key != "examples" for found in properties(value)]


def test_every_property_tells_its_meaning_unit_and_default():
    for name, told in properties(SCHEMA):
        if set(told) <= {"required", "properties"}:
            continue  # the params of one storage: a part of what is described above it
        told = SCHEMA["definitions"][told["$ref"].rpartition("/")[2]] if "$ref" in told else told
        assert re.search("[Dd]efault", told["description"]), name
        assert told.get("examples"), name


@pytest.mark.parametrize("slug", DESTINATIONS)
def test_the_schema_says_of_a_place_what_adobe_says(slug, run):
    live = run(get_connection_spec(DESTINATIONS[slug]))["targetSpec"]["spec"]
    (rule,) = [
        each["then"]["properties"]["params"]
        for each in SCHEMA["definitions"]["destination"]["allOf"]
        if each["if"]["properties"]["type"]["const"] == slug
    ]
    ours = {*rule["required"], "compression"}  # which has a default
    assert ours == set(live["required"]) - set(SEGMENT_PARAMS)
    assert ours == set(rule["properties"])
    for key in ("datasetFileType", "compression"):
        assert set(rule["properties"][key]["enum"]) == set(live["properties"][key]["enum"])


def test_the_schema_knows_the_same_storages_and_cadences():
    definitions = SCHEMA["definitions"]
    assert definitions["destination"]["properties"]["type"]["enum"] == list(DESTINATIONS)
    every = definitions["schedule"]["else"]["properties"]["every"]
    for pattern in (definitions["schedule"]["then"]["pattern"], every["pattern"]):
        assert all(re.search(pattern, word) for word in (*CADENCES, "2h", "7d", "as-is"))
        assert not any(re.search(pattern, word) for word in ("0h", "1w", "1.5h", "-3h", "3H", "every hour"))
    assert ", ".join(CADENCES) in every["description"]


# --- the page


def test_every_field_is_explained_on_the_page():
    page = PAGE.read_text()
    for name, _ in properties(SCHEMA):
        assert re.search(rf"^\| `{name}` \|", page, re.MULTILINE), name


def test_every_example_on_the_page_is_a_spec():
    blocks = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    whole = [block for block in blocks if re.search(r"^(- )?\s*name:", block, re.MULTILINE)]
    assert len(whole) >= 3
    for block in whole:
        for document in yaml.safe_load_all(block):
            for spec in document.get("exports", [document]):
                parse_spec(spec, templated="{{" in block)
                assert "{{" in block or valid(json.loads(json.dumps(spec, default=str)))

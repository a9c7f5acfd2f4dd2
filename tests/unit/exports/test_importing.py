"""Hand-made exports as specs: planning such a spec changes nothing, ensuring it the mark alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_aep.arguments import is_template
from airflow_provider_aep.errors import AepAmbiguousNameError, AepValidationError
from airflow_provider_aep.exports.apply import ensure_exports, plan_exports
from airflow_provider_aep.exports.files import load_specs
from airflow_provider_aep.exports.importing import import_exports, spec_of, to_yaml
from airflow_provider_aep.exports.marks import read_mark, text_of
from airflow_provider_aep.exports.spec import parse_spec
from airflow_provider_aep.exports.state import State, read_state
from airflow_provider_aep.flowservice.exchange import Request
from airflow_provider_aep.flowservice.validation import check_name
from airflow_provider_aep.monitoring.table import printable
from tests.unit.exports.strategies import specs

KINDS = ("flows", "connections", "sourceConnections", "targetConnections")
# What every write moves, and the one thing that adopting is about.
MOVES = {"description", "etag", "version", "updatedAt", "updatedBy", "updatedClient", "lastOperation"}


def kept(emulator):
    """Every entity by kind, without what a write moves."""
    return {
        kind: [
            {key: value for key, value in one.items() if key not in MOVES} for one in emulator.entities(kind)
        ]
        for kind in KINDS
    }


@pytest.fixture
def change(emulator, run):
    """Make an entity what no spec would have made of it."""

    def changed(kind, entity_id, path, value):
        def patch():
            found = yield Request("GET", f"/{kind}/{entity_id}")
            (entity,) = found.json["items"]
            op = "replace" if path[1:] in entity else "add"
            yield Request(
                "PATCH",
                f"/{kind}/{entity_id}",
                headers={"If-Match": entity["etag"]},
                json=[{"op": op, "path": path, "value": value}],
            )

        run(patch())

    return changed


def ensure(run, document, now, **logins):
    (outcome,) = run(ensure_exports([parse_spec(document)], sandbox="prod", now=now, logins=logins))
    assert outcome.error is None
    return outcome


def test_a_hand_made_export_is_adopted_and_nothing_else_about_it_changes(emulator, run, make_dataflow, now):
    dataflow_id = make_dataflow("nightly")
    before = kept(emulator)

    (imported,) = run(import_exports("nightly", owner="crm-team", sandbox="prod"))
    spec = parse_spec(imported.document)
    assert (spec.adopt, spec.owner, spec.sandbox) == (dataflow_id, "crm-team", "prod")

    (planned,) = run(plan_exports([spec], sandbox="prod", now=now))
    changes = [(step.action, one.field) for step in planned.plan.steps for one in step.changes]
    assert changes == [("update", "owner")]

    outcome = ensure(run, imported.document, now)
    assert outcome.updated == [{"kind": "dataflow", "id": dataflow_id}]
    assert outcome.created == []
    assert kept(emulator) == before
    assert read_mark(emulator.entities("flows")[0]).owner == "crm-team"
    assert [read_mark(one) for kind in KINDS[1:] for one in emulator.entities(kind)] == [None] * 3

    (again,) = run(plan_exports([spec], sandbox="prod", now=now))
    assert not again.plan.changes


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(data=st.data())
def test_whatever_was_declared_reads_back_as_the_same_export(data, emulator, run, now):
    datasets = [one.id for one in emulator.datasets()][:3]
    spec = data.draw(specs(datasets=datasets, base_connection_id=None, sandbox="prod", adopt=None))
    soon = now + timedelta(days=30)
    document = {**spec.to_json(), "name": f"{spec.name[:30]}-{len(emulator.entities('flows'))}"}
    document["schedule"] = {"every": spec.schedule.every, "end": soon.isoformat()}
    document["destination"] = {
        "type": "data_landing_zone",
        "params": {"path": "x", "datasetFileType": spec.target_params["datasetFileType"]},
    }
    made = ensure(run, document, now)

    (imported,) = run(import_exports(made.ids["dataflow"]))
    assert imported.error is None
    back = parse_spec(imported.document)
    assert (back.name, back.owner) == (made.spec.name, made.spec.owner)
    assert {one.id for one in back.datasets} == {one.id for one in made.spec.datasets}

    (planned,) = run(plan_exports([back], sandbox="prod", now=now))
    assert planned.error is None
    assert not planned.plan.changes, str(planned.plan)


def test_the_text_of_a_spec_reads_back_as_the_spec(run, make_dataflow, change, tmp_path):
    odd = 'yes: "no" # 0x1F\n- \u00e9\u4e2d {a: 1}'
    dataflow_id = make_dataflow('on & "off"')
    change("flows", dataflow_id, "/description", odd)
    (imported,) = run(import_exports(dataflow_id, sandbox="prod"))
    file = tmp_path / "imported.yaml"
    file.write_text(to_yaml([(imported.document, ["a note\nwith a break: {"])]), encoding="utf-8")
    assert load_specs(file) == [imported.document]
    assert file.read_text().startswith("# yaml-language-server: $schema=")


ODD = [
    "1.5e3",
    "+1.5E10",
    "0755",
    "1.",
    ".5",
    "-.inf",
    "1_000",
    "12:30",
    "2026-01-01",
    "0x1F",
    "-",
    "a: b # c",
]
ODD += [
    "yes",
    "n",
    "NULL",
    "~",
    "=",
    "<<",
    "---",
    "...",
    " a ",
    "a  b",
    "\x85y",
    "a\x85",
    "\u2028",
    "\ufeffa",
    "a\xa0",
    "zero\u200bwidth",
    "\u202etxt",
]
ODD += ["\U0001f600", "'q'", '"', "\\", "é" * 255, "a b " * 63, "  a" * 85, "!t", "&a", "*a", "%d", "@x", "?"]
names = st.one_of(
    st.sampled_from(ODD),
    st.text(
        st.characters(exclude_characters="\x7f", min_codepoint=32, exclude_categories=["Cs"]), max_size=255
    ),
    st.text("0123456789.eE+-_:xo ", max_size=12),
)


def is_plain(text):
    """Not what a file refuses as a template: importing leaves that out."""
    return text.strip() and not is_template(text)


@given(name=names.filter(is_plain), description=st.one_of(st.text(max_size=300), names).filter(is_plain))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_name_survives_the_file(tmp_path, name, description):
    document = {
        "name": check_name(name),
        "datasets": [{"id": "5ef3e3259ad2a1191ab7dd7d", "name": name}],
        "destination": {"type": "data_landing_zone", "params": {"path": "x", "datasetFileType": "JSON"}},
        "schedule": {"every": "1d", "end": "2099-06-01"},
    }
    try:
        parse_spec(document | {"description": description})
    except AepValidationError:
        pass
    else:
        document["description"] = description
    file = tmp_path / "imported.yaml"
    text = to_yaml([(document, [f"a note on {name}"])])
    file.write_text(text, encoding="utf-8", newline="")
    assert load_specs(file) == [document]
    assert printable(text) == text


def test_a_description_that_looks_like_a_template_is_left_alone_and_said(
    run, make_dataflow, change, tmp_path
):
    flow = make_dataflow("crm")
    change("flows", flow, "/description", "for {{ people }}")
    (imported,) = run(import_exports("crm"))
    file = tmp_path / "crm.yaml"
    file.write_text(to_yaml([(imported.document, imported.notes)]), encoding="utf-8")
    assert "description" not in load_specs(file)[0]
    assert "looks like a template" in " ".join(imported.notes)


def test_harmless_texts_stand_without_quotes():
    told = to_yaml([({"name": "CRM export", "path": "a/%b-c_d.e", "cadence": "3h", "word": "yes"}, [])])
    assert told.splitlines()[1:] == ["name: CRM export", "path: a/%b-c_d.e", 'cadence: "3h"', "word: 'yes'"]


def test_all_exports_of_a_sandbox_fit_into_one_file(run, make_dataflow, clock, tmp_path):
    for name in ("one", "two", "three"):
        make_dataflow(name)
        clock.advance(1)
    imported = run(import_exports(None))
    file = tmp_path / "all.yaml"
    file.write_text(to_yaml([(one.document, one.notes) for one in imported]))
    assert [one["name"] for one in load_specs(file)] == ["one", "two", "three"]


def test_a_declared_export_keeps_its_owner_and_names_no_dataflow_to_adopt(emulator, run, now):
    document = {
        "name": "landing",
        "owner": "crm-team",
        "description": "For the CRM",
        "datasets": [emulator.datasets()[0].id],
        "destination": {"type": "data_landing_zone", "params": {"path": "x", "datasetFileType": "JSON"}},
        "schedule": "3h",
    }
    ensure(run, document, now)
    (imported,) = run(import_exports("landing", owner="somebody-else"))
    assert imported.document["owner"] == "crm-team"
    assert imported.document["description"] == "For the CRM"
    assert "adopt" not in imported.document
    assert any("credentials_conn_id" in note for note in imported.notes)


def test_an_export_that_was_renamed_is_imported_by_the_name_of_its_mark(emulator, run, now, change):
    document = {
        "name": "landing",
        "datasets": [emulator.datasets()[0].id],
        "destination": {"type": "data_landing_zone", "params": {"path": "x", "datasetFileType": "JSON"}},
        "schedule": "3h",
    }
    made = ensure(run, document, now)
    change("flows", made.ids["dataflow"], "/name", "Landing (new)")
    (imported,) = run(import_exports("Landing (new)"))
    assert imported.document["name"] == "landing"


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        ({"sourceConnectionIds": ["a", "b"]}, "/sourceConnectionIds names 2 connections"),
        ({"flowSpec": {"id": "of-something-else"}}, "/flowSpec/id is none of the dataset exports"),
    ],
)
def test_what_a_spec_has_no_word_for_is_a_clear_error(run, make_dataflow, odd, told):
    dataflow_id = make_dataflow("odd")
    state = run(read_state(datasets=False))
    with pytest.raises(AepValidationError, match=told) as caught:
        spec_of({**state.find("dataflow", dataflow_id), **odd}, state)
    assert dataflow_id in str(caught.value)


def test_what_belongs_to_a_login_or_to_audiences_never_gets_into_a_spec(run, make_dataflow):
    dataflow_id = make_dataflow("odd")
    state = run(read_state(datasets=False))
    (target,) = state.entities["target connection"]
    params = {**target["params"], "s3SecretKey": "hunter2", "fileType": "CSV", "note": None}
    odd = State(entities={**state.entities, "target connection": [{**target, "params": params}]})
    document = spec_of(state.find("dataflow", dataflow_id), odd)
    assert "hunter2" not in str(document)
    assert set(document["destination"]["params"]) == {"path", "datasetFileType", "compression"}


def test_one_export_that_cannot_be_told_does_not_hide_the_others(run, make_dataflow, change, clock):
    make_dataflow("good")
    clock.advance(1)
    bad = make_dataflow("bad")
    change("flows", bad, "/name", "line\nbreak")
    good, told = run(import_exports(None))
    assert good.document["name"] == "good"
    assert told.document is None
    assert bad in str(told.error)


def test_a_name_leads_to_one_export_or_to_the_ids_of_all(run, make_dataflow):
    ids = {make_dataflow("twin"), make_dataflow("twin")}
    with pytest.raises(AepAmbiguousNameError) as caught:
        run(import_exports("twin"))
    assert set(caught.value.ids) == ids
    with pytest.raises(AepValidationError, match=r"did you mean 'twin'"):
        run(import_exports("twinn"))


def test_names_of_datasets_are_those_of_the_source_connection_where_they_may_not_be_listed(
    emulator, run, make_dataflow
):
    make_dataflow("nightly")
    emulator.fail_next(403, match="/configs", body={"error_code": "403000", "message": "no"})
    (imported,) = run(import_exports("nightly"))
    dataset = emulator.datasets()[0]
    assert imported.document["datasets"] == [{"id": dataset.id, "name": dataset.name}]


def test_a_description_too_long_for_a_spec_is_left_alone(run, make_dataflow, change, now):
    dataflow_id = make_dataflow("wordy")
    change("flows", dataflow_id, "/description", "x" * 1001)
    (imported,) = run(import_exports("wordy"))
    assert "description" not in imported.document
    ensure(run, imported.document, now)
    state = run(read_state(datasets=False))
    assert text_of(state.find("dataflow", dataflow_id)) == "x" * 1001


@pytest.mark.parametrize("name", ["crm {{ region }}", "crm {% if x %}"])
def test_an_export_whose_name_looks_like_a_template_does_not_spoil_the_file_of_the_others(
    run, make_dataflow, change, clock, tmp_path, name
):
    make_dataflow("plain")
    clock.advance(1)
    change("flows", make_dataflow("other"), "/name", name)
    good, bad = run(import_exports(None))
    with pytest.raises(AepValidationError, match=r"/name holds '\{\{' or '\{%'.*rename"):
        raise bad.error
    file = tmp_path / "all.yaml"
    file.write_text(to_yaml([(one.document, one.notes) for one in (good, bad) if one.document]))
    assert [one["name"] for one in load_specs(file)] == ["plain"]


def test_a_name_of_a_dataset_that_looks_like_a_template_is_left_out(emulator, run, make_dataflow, tmp_path):
    emulator.datasets()[0].name = "people of {{ region }}"
    make_dataflow("crm")
    (imported,) = run(import_exports("crm"))
    file = tmp_path / "crm.yaml"
    file.write_text(to_yaml([(imported.document, imported.notes)]))
    assert load_specs(file)[0]["datasets"] == [emulator.datasets()[0].id]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("airflow 0123456789abcdef0123", None),
        ("Nightly (airflow 0123456789abcdef0123)", "Nightly"),
        ("Nightly, of airflow 2 (ours)", "Nightly, of airflow 2 (ours)"),
    ],
)
def test_the_mark_of_a_task_that_made_an_export_by_steps_is_no_description(
    run, make_dataflow, change, now, given, text
):
    change("flows", make_dataflow("crm"), "/description", given)
    (imported,) = run(import_exports("crm"))
    assert imported.document.get("description") == text
    (planned,) = run(plan_exports([parse_spec(imported.document)], sandbox="prod", now=now))
    assert [one.field for step in planned.plan.steps for one in step.changes] == ["owner"]


def test_what_is_imported_and_planned_at_once_has_no_changes(emulator, run, now):
    ids = [one.id for one in emulator.datasets()[:2]]
    schedules = ["3h", "1d", "once", {"every": "6h", "end": (now + timedelta(days=30)).isoformat()}]
    for index, schedule in enumerate(schedules):
        document = {
            "name": f"landing-{index}",
            "datasets": ids[: index % 2 + 1],
            "destination": {
                "type": "data_landing_zone",
                "params": {"path": f"x{index}", "datasetFileType": "JSON"},
            },
            "schedule": schedule,
        }
        ensure(run, document, now)
    back = [parse_spec(one.document) for one in run(import_exports(None))]
    for planned in run(plan_exports(back, sandbox="prod", now=now)):
        assert not planned.plan.changes, str(planned.plan)
        assert not any("left behind" in one for one in planned.plan.warnings)


def test_a_mark_is_renewed_along_with_whatever_else_changes(emulator, run, now):
    document = {
        "name": "landing",
        "datasets": [emulator.datasets()[0].id],
        "destination": {"type": "data_landing_zone", "params": {"path": "x", "datasetFileType": "JSON"}},
        "schedule": "3h",
    }
    ensure(run, document, now)
    before = read_mark(emulator.entities("flows")[0]).content
    document["destination"]["params"]["path"] = "y"
    ensure(run, document, now)
    assert read_mark(emulator.entities("flows")[0]).content != before

"""No argument of any public class is dangerous by accident: each is refused unless it is what it must be.

The classes and their arguments are found by reflection. A new argument must be given a kind in ``KINDS``, and
so is tried with what people really give by mistake: a template that is not rendered, a text in the place of a
truth, a parameter that is null.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from datetime import timedelta
from itertools import product
from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.notifier import BaseNotifier
from airflow.providers.common.compat.sdk import DAG, AirflowException, BaseOperator, TaskGroup
from airflow.triggers.base import BaseTrigger

import airflow_provider_aep
from airflow_provider_aep.errors import AepConfigError, AepUnsafePlanError, AepValidationError
from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.operators.connections import (
    AepCreateBaseConnectionOperator,
    AepCreateSourceConnectionOperator,
    AepCreateTargetConnectionOperator,
)
from airflow_provider_aep.operators.dataflows import (
    AepCreateDataflowOperator,
    AepDeleteDataflowOperator,
    AepEnableDataflowOperator,
    AepListDataflowsOperator,
    AepUpdateDataflowOperator,
)
from airflow_provider_aep.operators.exports import (
    AepDeleteExportOperator,
    AepEnsureExportOperator,
    AepPlanExportOperator,
)
from airflow_provider_aep.sensors import AepDataflowRunSensor, AepDatasetIngestedSensor, AepExportsSensor
from airflow_provider_aep.task_groups import AepExportTaskGroup
from tests.unit.task_instance import FakeTaskInstance, context_of
from tests.unit.test_operators_exports import spec

REFUSED = (AepValidationError, AepConfigError, AirflowException, ValueError, TypeError)
DATAFLOW = "0c0f1a2b-0000-4000-8000-000000000077"

# What an argument is. "switch", "choice" and "number" must be right when the DAG is parsed, unless they are
# template fields; "text", "texts", "ids" and "document" must not be rendered to nothing; "moment" may be, as
# an empty moment means the default. "other" is checked by tests of its own, and the reason stands beside it.
KINDS = {
    "switch": {
        *("accept_uncounted", "alert_on_backfill", "allow_replace", "deferrable", "fail_on_bad"),
        *("leftovers_only", "only_if", "rollback_on_failure", "rotate_credentials", "start_in_triggerer"),
        "with_base",
    },
    "choice": {
        *("on_allowance", "on_changes", "on_disabled", "on_doubled", "on_ends_soon", "on_failed"),
        *("on_incomplete", "on_late", "on_low_records", "on_missing", "on_missing_files", "on_nothing"),
        *("on_partial", "on_slow", "on_standing", "on_stuck", "on_unchecked_files", "on_unknown_records"),
        *("on_unread", "on_unreadable", "on_zero_records", "on_zero_when_ingested"),
        *("on_zero_when_nothing_ingested", "require"),
    },
    "number": {
        *("ends_soon_days", "expected_runs", "history", "ingestion_margin", "lag", "max_drop"),
        *("max_duration", "max_failed_ratio", "max_skipped_ratio", "min_records", "poke_interval"),
        *("poll_interval", "ready_timeout", "settled_for", "timeout", "zero_streak"),
    },
    "text": {
        *("aep_conn_id", "base_connection_id", "credentials_conn_id", "dataflow_id", "dataflow_name"),
        *("dataset_id", "description", "destination", "encryption_conn_id", "export_owner", "name"),
        *("name_contains", "sandbox", "source_connection_id", "storage_conn_id", "storage_path"),
        "target_connection_id",
    },
    "texts": {"destinations"},
    "ids": {"dataset_ids", "dataset_names", "datasets", "run_ids"},
    "moment": {
        *("due_from", "due_until", "ingested_after", "since", "started_after", "started_before"),
        *("tick", "until"),
    },
    "document": {"found", "plan", "run_policy", "schedule", "spec", "specs", "target_params", "ticks"},
    "other": {
        "alert",  # a function or true; refused below
        "allowance",  # test_check_allowances
        "channels",  # test_notifications_channels
        "group",  # Airflow's own arguments of a task group
        "group_id",  # Airflow's
        "messages",  # test_notifications
        "on",  # test_notifications
        "send",  # test_notifications
        "statuses",  # test_triggers_finished_runs
    },
}

# The least that a class takes, and what an argument needs beside it.
NEEDS: dict[str, dict[str, Any]] = {
    "AepCreateBaseConnectionOperator": {"name": "crm", "destination": "data_landing_zone"},
    "AepCreateDataflowOperator": {
        "name": "crm",
        "destination": "data_landing_zone",
        "source_connection_id": DATAFLOW,
        "target_connection_id": DATAFLOW,
        "schedule": "3h",
    },
    "AepCreateSourceConnectionOperator": {"name": "crm", "datasets": [DATAFLOW]},
    "AepCreateTargetConnectionOperator": {
        "name": "crm",
        "destination": "data_landing_zone",
        "base_connection_id": DATAFLOW,
        "target_params": {"path": "crm", "datasetFileType": "JSON"},
    },
    "AepDataflowRunSensor": {"dataflow_id": DATAFLOW},
    "AepDatasetIngestedSensor": {"dataset_id": DATAFLOW, "ingested_after": "2026-01-01"},
    "AepDeleteDataflowOperator": {"dataflow_id": DATAFLOW},
    "AepDeleteExportOperator": {"name": "crm"},
    "AepDisableDataflowOperator": {"dataflow_id": DATAFLOW},
    "AepEnableDataflowOperator": {"dataflow_id": DATAFLOW},
    "AepEnsureExportOperator": {"spec": spec()},
    "AepExportTaskGroup": {"spec": spec()},
    "AepGetConnectionSpecOperator": {"destination": "data_landing_zone"},
    "AepListDataflowRunsOperator": {"dataflow_id": DATAFLOW},
    "AepPlanExportOperator": {"spec": spec()},
    "AepRequireGoodExportsOperator": {"found": {"verdicts": []}},
    "AepRunExportOperator": {"dataflow_id": DATAFLOW},
    "AepUpdateDataflowOperator": {"dataflow_id": DATAFLOW, "schedule": "3h"},
}
# An argument that stands in the place of one that the class needs.
INSTEAD = {
    ("AepDatasetIngestedSensor", "dataset_ids"): "dataset_id",
    ("AepDatasetIngestedSensor", "dataset_names"): "dataset_id",
    ("AepDeleteExportOperator", "spec"): "name",
    ("AepEnsureExportOperator", "specs"): "spec",
    ("AepPlanExportOperator", "specs"): "spec",
}


def public_classes() -> list[type]:
    """What a DAG file names: operators, sensors, notifiers, task groups and event triggers of ours."""
    found: set[type] = set()
    for module in pkgutil.walk_packages(airflow_provider_aep.__path__, "airflow_provider_aep."):
        if module.name.partition(".")[2].partition(".")[0] in FACES:
            members = inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
            found |= {each for name, each in members if name.startswith("Aep") and is_ours(each)}
    made = (BaseOperator, BaseNotifier, TaskGroup, BaseTrigger)
    given = {each for each in found if issubclass(each, made) and not is_internal(each)}
    # A base class is tried by those that are made of it.
    return sorted((each for each in given if not is_base(each, given)), key=lambda each: each.__name__)


FACES = ("operators", "sensors", "notifications", "task_groups", "triggers")


def is_ours(kind: type) -> bool:
    return kind.__module__.startswith("airflow_provider_aep.")


def is_internal(kind: type) -> bool:
    """A trigger that a sensor defers to gets its arguments from the sensor alone."""
    return kind.__module__.endswith((".dataflow_runs", ".starting"))


def is_base(kind: type, among: set[type]) -> bool:
    return any(issubclass(each, kind) and each is not kind for each in among)


def arguments_of(kind: type) -> list[str]:
    names: dict[str, None] = {}
    for each in kind.__mro__:
        if is_ours(each) and "__init__" in vars(each):
            given = inspect.signature(inspect.unwrap(each.__init__)).parameters.values()  # type: ignore[misc]
            named = (one.name for one in given if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL))
            names |= dict.fromkeys(name for name in named if name != "self")
    return list(names)


CLASSES = public_classes()
ARGUMENTS = [(kind, name) for kind in CLASSES for name in arguments_of(kind)]


def of_kind(*kinds: str, templated: bool = False) -> Any:
    names = set().union(*(KINDS[each] for each in kinds))
    some = [
        (kind, name)
        for kind, name in ARGUMENTS
        if name in names and (is_template_field(kind, name) or not templated)
    ]
    return pytest.mark.parametrize(
        ("kind", "name"), some, ids=[f"{kind.__name__}-{name}" for kind, name in some]
    )


def of_template_fields(*kinds: str) -> Any:
    return of_kind(*kinds, templated=True)


def is_template_field(kind: type, name: str) -> bool:
    return name in getattr(kind, "template_fields", ())


def make(kind: type, *, native: bool = False, **given: Any) -> Any:
    """One of a class, in a DAG."""
    needed = dict(NEEDS.get(kind.__name__, {}))
    for name in given:
        needed.pop(INSTEAD.get((kind.__name__, name), ""), None)
    arguments = {**needed, **given}
    if not issubclass(kind, BaseOperator | TaskGroup):
        return kind(**arguments)
    with DAG("exports", schedule=None, render_template_as_native_obj=native):
        if issubclass(kind, TaskGroup):
            return kind("group", **arguments)
        return kind(task_id="task", **arguments)


def run_task(task: Any, **params: Any) -> Any:
    """Render a task and run it, as Airflow does."""
    context = context_of(FakeTaskInstance(), params=params)
    task.render_template_fields(context)
    return task.execute(context)


def test_every_argument_of_every_public_class_has_a_kind():
    known = set().union(*KINDS.values())
    unknown = sorted({f"{kind.__name__}({name}=...)" for kind, name in ARGUMENTS if name not in known})
    assert unknown == [], "say in KINDS what each must be, and have it checked"
    assert known - {name for _, name in ARGUMENTS} == set()


def test_the_classes_are_found():
    assert len(CLASSES) >= 22
    assert {"AepRunNotifier", "AepExportsTaskGroup", "AepDataflowRunFinishedTrigger"} <= {
        kind.__name__ for kind in CLASSES
    }


@of_kind("switch", "choice", "number")
def test_what_decides_is_refused_when_the_dag_is_parsed_unless_it_is_what_it_must_be(kind, name):
    wrong: list[Any] = ["fial", "", "None", b"true", [True], {"a": 1}]
    if name in KINDS["number"]:
        wrong += [True, "5 hours", float("nan"), float("inf"), -1]
    else:
        wrong += [1, 0, 2.5]
    if name in KINDS["choice"]:
        wrong += [True, "Fail"]
    for value in wrong:
        # A window without an end is none, and a wait for ever is what Airflow allows.
        if name in ("timeout", "poke_interval") and value in (float("inf"), True):
            continue
        if name in ("timeout", "poke_interval", "poll_interval") and value != value:
            continue
        with pytest.raises(REFUSED):
            make(kind, **{name: value})


@of_kind("switch", "choice", "number")
def test_a_template_stands_only_where_it_is_rendered(kind, name):
    if is_template_field(kind, name):
        make(kind, **{name: "{{ params.given }}"})
    elif not (issubclass(kind, TaskGroup) and name in TEMPLATES_OF_A_GROUP):
        with pytest.raises(REFUSED):
            make(kind, **{name: "{{ params.given }}"})


# A task group hands these on to a task that renders them.
TEMPLATES_OF_A_GROUP = {"allow_replace", "rotate_credentials", "rollback_on_failure", "expected_runs"}


@of_template_fields("switch")
def test_a_switch_is_read_strictly_once_it_is_rendered(aep, kind, name):
    for native, given in product([False, True], [None, "", "maybe", 1, 0, "None", [], "{{ params.again }}"]):
        task = make(kind, native=native, **{name: "{{ params.given }}"})
        with pytest.raises(AepValidationError, match=name):
            run_task(task, given=given)
    assert aep.log == []


@of_template_fields("switch")
def test_a_switch_that_is_rendered_is_a_truth_and_no_text(kind, name):
    for native, given in product([False, True], [True, False, "true", "False", " TRUE "]):
        task = make(kind, native=native, **{name: "{{ params.given }}"})
        task.render_template_fields(context_of(FakeTaskInstance(), params={"given": given}))
        assert getattr(task, name) is (str(given).strip().lower() == "true")


@of_template_fields("text", "texts", "ids", "document")
def test_what_is_rendered_to_nothing_is_refused_before_anything_is_asked(aep, kind, name):
    if getattr(vars(kind).get(name), "leaves_out", False):
        return
    for native, given in product([False, True], [None, "", "  ", "null"]):
        task = make(kind, native=native, **{name: "{{ params.given }}"})
        with pytest.raises((AepValidationError, AepConfigError)):
            run_task(task, given=given)
    assert aep.log == []


@of_template_fields("moment")
def test_a_moment_is_not_the_word_for_nothing(aep, kind, name):
    for given in (None, "null"):
        with pytest.raises(AepValidationError):
            run_task(make(kind, **{name: "{{ params.given }}"}), given=given)
    assert aep.log == []


@of_kind("text")
def test_a_text_that_is_empty_is_refused_when_the_dag_is_parsed(kind, name):
    for given in ("", " ", "None", "null", 1.5, True, b"crm"):
        with pytest.raises(REFUSED):
            make(kind, **{name: given})


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if "alert" in arguments_of(kind)])
def test_whoever_is_alerted_is_neither_a_text_nor_a_class(kind):
    for wrong in ("yes", "{{ params.alert }}", 1, AepRunNotifier):
        with pytest.raises(REFUSED):
            make(kind, alert=wrong)


# Row by row, as it happened.


@pytest.fixture
def exports(aep):
    """An export that exists, with its base connection."""
    run_task(make(AepEnsureExportOperator))
    aep.log.clear()
    return aep


@pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
def test_a_base_connection_stays_where_a_param_says_so(exports, native):
    task = make(AepDeleteExportOperator, native=native, name="nightly", with_base="{{ params.with_base }}")
    run_task(task, with_base=False)
    assert exports.entities("flows") == []
    assert len(exports.entities("connections")) == 1


def test_nothing_is_replaced_where_a_param_says_so(exports):
    other = spec(datasets=["5ef3e324ab7dd7d3259a1191"])
    task = make(AepEnsureExportOperator, spec=other, allow_replace="{{ params.allow_replace }}")
    with pytest.raises(AepUnsafePlanError):
        run_task(task, allow_replace=False)


def test_a_sandbox_that_is_rendered_to_nothing_is_not_the_one_of_the_connection(exports):
    task = make(AepDeleteExportOperator, name="nightly", sandbox="{{ params.sandbox }}")
    with pytest.raises(AepValidationError, match="sandbox is empty or 'None' once it is rendered"):
        run_task(task, sandbox="")
    assert len(exports.entities("flows")) == 1


@pytest.mark.parametrize(
    "field", ["name", "owner", "description", "sandbox", "adopt", "datasets/0", "destination/params/path"]
)
@pytest.mark.parametrize("kind", [AepPlanExportOperator, AepEnsureExportOperator, AepDeleteExportOperator])
def test_a_field_of_a_spec_that_is_rendered_to_nothing_is_refused(aep, kind, field):
    document = spec()
    *parents, last = field.split("/")
    place: Any = document
    for each in parents:
        place = place[each]
    place[0 if last == "0" else last] = "{{ params.given }}"
    for native, given in product([False, True], [None, "", "null"]):
        task = make(kind, native=native, spec=document)
        with pytest.raises(AepValidationError, match=f"/{field} is empty or 'None' once it is rendered"):
            run_task(task, given=given)
    assert aep.log == []


LATER = "{{ params.given }}"


@pytest.mark.parametrize(
    ("kind", "given", "where"),
    [
        (AepCreateDataflowOperator, {"schedule": {"every": "3h", "start": LATER}}, "schedule/start"),
        (AepCreateDataflowOperator, {"schedule": {"every": "3h", "end": LATER}}, "schedule/end"),
        (
            AepCreateDataflowOperator,
            {"schedule": {"every": "3h", "folder_template": LATER}},
            "schedule/folder_template",
        ),
        (AepUpdateDataflowOperator, {"schedule": {"every": "3h", "end": LATER}}, "schedule/end"),
        (
            AepCreateTargetConnectionOperator,
            {"target_params": {"path": LATER, "datasetFileType": "JSON"}},
            "target_params/path",
        ),
        (AepCreateSourceConnectionOperator, {"datasets": [DATAFLOW, LATER]}, "datasets/1"),
        (AepEnsureExportOperator, {"specs": [spec(), spec(name=LATER)]}, "specs/1/name"),
    ],
)
def test_a_field_of_a_document_that_is_rendered_to_nothing_is_refused(aep, kind, given, where):
    # A folder "None", or an export that goes on for 180 days because its end was empty.
    for native, value in product([False, True], [None, "", " ", "null"]):
        task = make(kind, native=native, **given)
        with pytest.raises(AepValidationError, match=f"{where} is empty or 'None' once it is rendered"):
            run_task(task, given=value)
    assert aep.log == []


@pytest.mark.parametrize("until", ["2026-12-01T00:00:00Z", "2026-11-30T00:00:00Z"])
def test_a_window_without_width_lists_nothing_and_says_what_to_do(aep, until):
    task = make(AepListDataflowsOperator, due_from="2026-12-01T00:00:00Z", due_until=until)
    with pytest.raises(AepValidationError, match=r"due_until must be later.*CronDataIntervalTimetable"):
        run_task(task)
    assert aep.log == []


@pytest.mark.parametrize("given", [{"on_failed": "fial"}, {"max_drop": "{{ params.drop }}"}])
def test_a_policy_that_is_misspelt_does_not_wait_for_the_task(given):
    (name,) = given
    for kind in (AepDataflowRunSensor, AepExportTaskGroup):
        with pytest.raises(AepValidationError, match=f"{name} must be"):
            make(kind, **given)


def test_a_switch_of_a_mapped_task_is_read_strictly_too():
    mapped = AepDeleteExportOperator.partial(task_id="task", name="crm")
    with DAG("exports", schedule=None):
        mapped.expand(with_base=[True, False])
    with pytest.raises(AepValidationError, match="with_base must be true or false"):
        make(AepDeleteExportOperator, with_base="no")


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (AepDeleteExportOperator, {"with_base": "fial"}),
        (AepDeleteExportOperator, {"sandbox": ""}),
        (AepPlanExportOperator, {"on_changes": "fial"}),
        (AepPlanExportOperator, {"on_changes": "{{ params.given }}"}),
        (AepDataflowRunSensor, {"deferrable": "maybe"}),
        (AepDataflowRunSensor, {"on_failed": "fial"}),
        (AepDataflowRunSensor, {"max_drop": 5}),
        (AepDataflowRunSensor, {"on_missing_files": "fial"}),
    ],
)
def test_what_is_wrong_for_all_of_a_mapped_task_is_refused_when_the_dag_is_parsed(kind, wrong):
    (name,) = wrong
    with pytest.raises(AepValidationError, match=name):
        kind.partial(task_id="task", **wrong)


def test_a_mapped_task_takes_templates_where_they_are_rendered():
    mapped = AepDeleteExportOperator.partial(
        task_id="task", with_base="{{ params.with_base }}", sandbox="{{ params.sandbox }}"
    )
    with DAG("exports", schedule=None):
        mapped.expand(name=["crm", "erp"])


def test_a_text_with_braces_that_another_task_returned_switches_nothing_on():
    # Of a mapped task, Airflow sets it as it is, without rendering it.
    for task, name in (
        (make(AepDeleteExportOperator, with_base="{{ braces }}"), "with_base"),
        (make(AepEnableDataflowOperator, only_if="{{ braces }}"), "only_if"),
    ):
        with pytest.raises(AepValidationError, match=f"{name} must be true or false"):
            setattr(task, name, "{{ braces }}")


@pytest.mark.parametrize("typed", ["1.10", "0x10", "1_000", "1e5", "True", "'x'", "007", "1,2", "[1]"])
def test_a_text_that_looks_like_something_else_stays_what_it_is(typed):
    given = {"name": typed, "sandbox": typed}
    for native in (False, True):
        task = make(AepDeleteExportOperator, native=native, **given)
        task.render_template_fields(context_of(FakeTaskInstance()))
        assert (task.name, task.sandbox) == (typed, typed)
        task.name = "other"
        assert task.name == "other"


@pytest.mark.parametrize("typed", ["5" * 24, "5123456789e0123456789012"])
def test_an_id_of_digits_stays_an_id(typed):
    for native in (False, True):
        task = make(AepDeleteDataflowOperator, native=native, dataflow_id=typed)
        source = make(AepCreateSourceConnectionOperator, native=native, datasets=[typed])
        for each in (task, source):
            each.render_template_fields(context_of(FakeTaskInstance()))
        assert (task.dataflow_id, source.datasets) == (typed, [typed])


@of_template_fields("texts")
def test_a_list_that_turns_out_empty_does_not_widen_what_is_selected(aep, kind, name):
    for native, given in product([False, True], [[], (), {}]):
        task = make(kind, native=native, **{name: "{{ params.given }}"})
        with pytest.raises(AepValidationError, match=name):
            run_task(task, given=given)
    assert aep.log == []


@pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
def test_a_login_that_turns_out_not_to_be_needed_is_left_out(aep, native):
    given = {"native": native, "credentials_conn_id": "{{ params.login }}"}
    run_task(make(AepCreateBaseConnectionOperator, **given), login=None)
    assert len(aep.entities("connections")) == 1
    task = make(AepCreateBaseConnectionOperator, **given, destination="s3")
    with pytest.raises(AepConfigError, match="needs credentials_conn_id"):
        run_task(task, login=None)
    assert len(aep.entities("connections")) == 1


def test_only_if_says_what_it_was_rendered_to():
    with pytest.raises(AepValidationError, match="only_if is empty or 'None' once it is rendered"):
        run_task(make(AepEnableDataflowOperator, only_if="{{ params.given }}"), given=None)


# What beginners write


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        (lambda: AepRunNotifier(on="fail"), r"on names 'fail' \(did you mean 'failed'\?\)"),
        (
            lambda: AepRunNotifier(messages={"faild": "x"}),
            r"messages names 'faild' \(did you mean 'failed'\?\)",
        ),
        (lambda: AepRunNotifier(channels="Slak"), r"channels/0/type must be one of .*did you mean 'slack'\?"),
        (lambda: make(AepEnsureExportOperator, spec=[spec()]), "spec must be one spec: give a list as specs"),
        (
            lambda: run_task(
                make(AepDataflowRunSensor, dataflow_id="{{ params.all }}", native=True), all=ENSURED
            ),
            r"dataflow_id must be an id: .* take \['dataflow_id'\]",
        ),
    ],
)
def test_a_mistake_is_told_with_the_next_step(mistake, told):
    with pytest.raises((AepValidationError, AepConfigError), match=told):
        mistake()


ENSURED = {"dataflow_id": DATAFLOW, "changed": True}


SPANS = {
    *("ends_soon_days", "ingestion_margin", "lag", "max_duration", "poke_interval", "poll_interval"),
    *("ready_timeout", "settled_for", "timeout"),
}
OF_SPANS = [(kind, name) for kind, name in ARGUMENTS if name in SPANS]
of_spans = pytest.mark.parametrize(
    ("kind", "name"), OF_SPANS, ids=[f"{kind.__name__}-{name}" for kind, name in OF_SPANS]
)


def kept(kind: type, name: str, given: Any) -> float:
    """A span as a class keeps it, in seconds."""
    made = make(kind, **{name: given})
    made = getattr(made, "wait", made)
    if name == "ends_soon_days":
        made = made._policy()
    elif name in ("max_duration", "ingestion_margin"):
        made = made.run_policy()
    found = getattr(made, name)
    if isinstance(found, timedelta):
        return found.total_seconds()
    return found * (86_400 if name.endswith("_days") else 1)


def test_no_number_of_seconds_or_days_is_left_out():
    ends = ("_days", "_seconds", "_timeout", "_interval", "_duration", "_margin")
    assert {name for name in KINDS["number"] if name.endswith(ends)} <= SPANS


@of_spans
def test_a_span_is_a_timedelta_an_iso_duration_or_a_number(kind, name):
    if name == "ends_soon_days":
        assert {kept(kind, name, given) for given in (2, timedelta(days=2), "P2D", "PT48H")} == {172_800}
    else:
        given = (5400, timedelta(minutes=90), "PT90M", "PT1H30M", "PT1.5H")
        assert {kept(kind, name, each) for each in given} == {5400}


@of_spans
def test_a_duration_without_a_fixed_length_is_refused_with_its_rule(kind, name):
    for given in (
        "P1M",
        "P1Y",
        "P1Y2M3DT4H",
        "P0.5Y",
        pendulum.duration(months=1),
        pendulum.duration(years=1),
    ):
        with pytest.raises(AepValidationError, match=f"{name} must not be in months or years.*give days"):
            make(kind, **{name: given})


@of_spans
def test_what_is_no_duration_is_refused_as_one(kind, name):
    wrong = ["2h", "P", "PT", "P1H", "-PT2H", "pt2h", "12:00", "2026-12-01", "P1DT", "7200", "PT2H "]
    for given in (*wrong, "P1D/P2D", "PT2H/PT3H", "PT1H1H", "PT1.H", "P1D\n"):
        with pytest.raises(AepValidationError, match=rf"{name} must be .*ISO 8601 duration such as 'PT2H'"):
            make(kind, **{name: given})


@of_spans
def test_a_number_that_no_clock_counts_to_is_refused_by_name(kind, name):
    with pytest.raises(AepValidationError, match=f"{name} must be"):
        make(kind, **{name: 10**400})


def test_an_interval_of_pendulum_has_a_length():
    interval = pendulum.datetime(2026, 3, 1) - pendulum.datetime(2026, 1, 1)
    assert kept(AepDataflowRunSensor, "max_duration", interval) == 59 * 86_400


@pytest.mark.parametrize("name", ["timeout", "max_wait", "poke_interval"])
@pytest.mark.parametrize("kind", [AepDataflowRunSensor, AepExportsSensor, AepDatasetIngestedSensor])
def test_what_airflow_takes_in_seconds_a_sensor_takes_as_a_duration_too(kind, name):
    found = getattr(make(kind, **{name: "PT1H30M"}), name)
    assert found in (5400, timedelta(minutes=90))
    with pytest.raises(AepValidationError, match=f"{name} must not be in months or years"):
        make(kind, **{name: "P1M"})


def test_a_bound_of_a_span_is_told_in_words():
    with pytest.raises(AepValidationError, match="'PT2H'; at least 0, at most 1 day"):
        make(AepDatasetIngestedSensor, settled_for="P2D")
    with pytest.raises(AepValidationError, match="'PT2H'; above 0, at most 366 days"):
        make(AepDataflowRunSensor, max_duration="PT0S")

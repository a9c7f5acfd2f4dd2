from __future__ import annotations

import ast
import inspect
import json
from importlib.metadata import entry_points, metadata
from pathlib import Path
from pkgutil import resolve_name

import airflow
import jsonschema
import pytest

import airflow_provider_aep
from airflow_provider_aep import provider_info
from airflow_provider_aep.provider_info import CONN_FIELDS, get_provider_info

SCHEMA = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())


def test_it_fits_the_schema_of_this_airflow():
    jsonschema.validate(get_provider_info(), SCHEMA)


def test_it_fits_no_stricter_schema_less():
    info = get_provider_info()
    del info["name"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(info, SCHEMA)


def test_airflow_finds_it_under_the_name_of_the_distribution():
    # Airflow raises, for all providers, when the two differ.
    (found,) = [
        point
        for point in entry_points(group="apache_airflow_provider")
        if point.value.startswith("airflow_provider_aep")
    ]
    assert found.load() is get_provider_info
    assert found.dist.name == get_provider_info()["package-name"] == "airflow-provider-aep"
    assert metadata("airflow-provider-aep")["Version"] == airflow_provider_aep.__version__


def test_it_is_pure_data():
    tree = ast.parse(inspect.getsource(provider_info))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert {getattr(node, "module", None) for node in imports} == {"__future__", "typing"}
    json.dumps(get_provider_info())


def test_every_class_and_module_in_it_exists():
    info = get_provider_info()
    classes = [
        *(kind["hook-class-name"] for kind in info["connection-types"]),
        *info["extra-links"],
        *info["notifications"],
    ]
    for path in classes:
        assert inspect.isclass(resolve_name(path))
    for section in ("hooks", "operators", "sensors", "triggers"):
        for entry in info[section]:
            for module in entry["python-modules"]:
                resolve_name(module)


def test_every_function_for_assets_exists():
    info = get_provider_info()
    assert info["asset-uris"] == info["dataset-uris"]
    for entry in info["asset-uris"]:
        for key in ("handler", "factory", "to_openlineage_converter"):
            assert callable(resolve_name(entry[key]))


def is_plumbing(module: str) -> bool:
    plumbing = ("__init__", "bundles", "given_specs", "links", "moments", "places", "xcom_keys")
    return module in plumbing or module.endswith(("base", "dataflow_state"))


def test_every_module_of_operators_is_listed():
    folder = Path(airflow_provider_aep.__file__).parent / "operators"
    (entry,) = get_provider_info()["operators"]
    assert set(entry["python-modules"]) == {
        f"airflow_provider_aep.operators.{file.stem}"
        for file in folder.glob("*.py")
        if not is_plumbing(file.stem)
    }


def test_the_hook_is_what_the_connection_type_says():
    (kind,) = get_provider_info()["connection-types"]
    hook = resolve_name(kind["hook-class-name"])
    assert hook.conn_type == kind["connection-type"]
    assert hook.hook_name == kind["hook-name"]
    assert hook.default_conn_name == "aep_default"
    assert hook.conn_name_attr == "aep_conn_id"


def test_the_form_has_a_field_for_every_extra_that_the_hook_reads():
    from airflow_provider_aep import hooks

    tree = ast.parse(inspect.getsource(hooks.AepConnection))
    read = {
        node.slice.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)
    }
    assert {place for place in read if place.startswith("extra.")} == {f"extra.{key}" for key in CONN_FIELDS}


def test_no_field_of_the_form_keeps_a_secret_in_the_open():
    # What is secret has Airflow's own password field.
    for name in CONN_FIELDS:
        assert not any(word in name for word in ("secret", "password", "api_key"))


def test_the_form_is_one_for_both_airflows():
    hook = resolve_name(get_provider_info()["connection-types"][0]["hook-class-name"])
    behaviour = get_provider_info()["connection-types"][0]["ui-field-behaviour"]
    assert hook.get_ui_field_behaviour() == {key.replace("-", "_"): value for key, value in behaviour.items()}


def test_the_section_of_the_configuration_has_its_required_words():
    options = get_provider_info()["config"]["aep"]["options"]
    for option in options.values():
        assert {"description", "version_added", "type", "example", "default"} <= set(option)
    assert float(options["poll_interval"]["default"]) == 60
    assert float(options["page_refresh_seconds"]["default"]) == 30

"""The connection form, as each Airflow builds it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from airflow_provider_aep.provider_info import CONN_FIELDS

pytestmark = pytest.mark.airflow

FORM = """
import json, sys, warnings
from airflow.exceptions import AirflowProviderDeprecationWarning
warnings.simplefilter("error", AirflowProviderDeprecationWarning)
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
(form,) = [each for each in HookMetaService.hook_meta_data() if each.connection_type == "aep"]
print("imported" if "airflow_provider_aep.hooks" in sys.modules else "not imported")
print(form.model_dump_json())
"""


@pytest.mark.airflow3
def test_airflow_3_builds_the_form_from_data_alone():
    done = subprocess.run([sys.executable, "-c", FORM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    imported, told = done.stdout.splitlines()[-2:]
    form = json.loads(told)
    assert imported == "not imported"
    assert list(form["extra_fields"]) == list(CONN_FIELDS)
    assert form["extra_fields"]["sandbox"]["value"] == "prod"
    assert form["extra_fields"]["writes"]["value"] == "all"
    assert form["extra_fields"]["writes"]["schema"]["enum"] == ["all", "development", "none"]
    standard = form["standard_fields"]
    assert standard["login"]["title"] == "Client ID"
    assert standard["password"]["title"] == "Client secret"
    assert standard["host"]["placeholder"] == "https://platform.adobe.io"
    assert standard["port"]["hidden"]
    assert standard["url_schema"]["hidden"]


@pytest.mark.airflow3
def test_importing_the_hook_warns_of_nothing():
    program = (
        "import warnings; from airflow.exceptions import AirflowProviderDeprecationWarning as W;"
        "warnings.simplefilter('error', W);"
        "from airflow.providers_manager import ProvidersManager;"
        "assert ProvidersManager().hooks['aep'].hook_name"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_airflow_2_builds_the_same_form_from_the_hook():
    pytest.importorskip("flask_appbuilder")
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    widgets = {
        name: widget.field
        for name, widget in manager.connection_form_widgets.items()
        if name.startswith("extra__aep__")
    }
    assert [name.removeprefix("extra__aep__") for name in widgets] == list(CONN_FIELDS)
    for field, described in zip(widgets.values(), CONN_FIELDS.values(), strict=True):
        assert field.args[0] == described["label"]
        assert field.kwargs["description"] == described["description"]
        assert field.kwargs["default"] == described["schema"].get("default")
    behaviour = manager.field_behaviours["aep"]
    assert behaviour["relabeling"]["login"] == "Client ID"
    assert set(behaviour["hidden_fields"]) == {"port", "schema"}

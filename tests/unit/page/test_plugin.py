"""What every process of Airflow imports for the page."""

from __future__ import annotations

import ast
import subprocess
import sys
from urllib.parse import urljoin

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

from airflow_provider_aep._airflow import AIRFLOW_V_3_3_PLUS
from airflow_provider_aep.page.plugin import AepPlugin

IMPORTS = """
import sys
from airflow_provider_aep._airflow import AirflowPlugin
before = set(sys.modules)
import airflow_provider_aep.page.plugin
print(sorted(name for name in set(sys.modules) - before if name.split(".")[0] not in sys.stdlib_module_names))
"""


def test_the_plugin_brings_nothing_but_itself():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IMPORTS], capture_output=True, text=True, check=True
    )
    brought_in = set(ast.literal_eval(done.stdout.splitlines()[-1]))
    own = {"airflow_provider_aep.page", "airflow_provider_aep.page.plugin"}
    assert own <= brought_in
    assert brought_in == own


def test_airflow_before_3_1_gets_no_page():
    brought = [bool(getattr(AepPlugin, name, [])) for name in ("react_apps", "fastapi_apps")]
    assert brought == [AIRFLOW_V_3_1_PLUS] * 2


@pytest.mark.airflow3
@pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="there is no page")
def test_airflow_finds_the_bundle_also_below_a_path_of_a_host():
    base = "https://acme.example/airflow/"
    importer = base if AIRFLOW_V_3_3_PLUS else urljoin(base, "static/assets/index.js")
    for app in AepPlugin.react_apps:
        assert urljoin(importer, app["bundle_url"]) == urljoin(base, "aep/static/exports.js")
        # Before, the browser imports it as it stands, and takes a path without a dot for a package.
        assert AIRFLOW_V_3_3_PLUS or app["bundle_url"].startswith(".")

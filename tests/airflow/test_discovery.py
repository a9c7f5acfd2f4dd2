"""Airflow finds the provider, and all that it brings."""

from __future__ import annotations

import pytest
from airflow.providers_manager import ProvidersManager

import airflow_provider_aep

pytestmark = pytest.mark.airflow
PACKAGE = "airflow-provider-aep"


def test_the_provider_is_listed_with_its_version():
    found = ProvidersManager().providers[PACKAGE]
    assert found.version == airflow_provider_aep.__version__


def test_the_connection_type_leads_to_the_hook():
    found = ProvidersManager().hooks["aep"]
    assert found.hook_class_name == "airflow_provider_aep.hooks.AepHook"
    assert found.package_name == PACKAGE
    assert found.connection_id_attribute_name == "aep_conn_id"
    assert found.connection_testable


def test_a_connection_finds_its_own_hook(aep):
    from airflow.providers.common.compat.sdk import BaseHook

    from airflow_provider_aep.hooks import AepHook

    hook = BaseHook.get_hook("aep_default")
    assert isinstance(hook, AepHook)
    assert hook.test_connection()[0]


def test_the_link_is_registered():
    assert (
        "airflow_provider_aep.operators.links.AepDataflowLink" in ProvidersManager().extra_links_class_names
    )


def test_the_notifier_is_registered():
    found = [str(getattr(each, "notification_class_name", each)) for each in ProvidersManager().notification]
    assert any("airflow_provider_aep.notifications.AepRunNotifier" in each for each in found)


def test_the_trigger_is_registered():
    # Airflow calls it a class name and lists the module.
    found = {each.trigger_class_name: each.package_name for each in ProvidersManager().trigger}
    assert found["airflow_provider_aep.triggers"] == PACKAGE


def test_the_section_of_the_configuration_has_its_default():
    from airflow.providers.common.compat.sdk import conf

    assert dict(ProvidersManager().provider_configs)[PACKAGE]["aep"]["options"]["poll_interval"]
    assert conf.getfloat("aep", "poll_interval", fallback=60.0) == 60

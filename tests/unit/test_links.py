from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import XCom

from airflow_provider_aep.operators.dataflows import (
    AepCreateDataflowOperator,
    AepDeleteDataflowOperator,
    AepListDataflowRunsOperator,
)
from airflow_provider_aep.operators.links import AepDataflowLink, push_dataflow_link
from airflow_provider_aep.sensors import AepDataflowRunSensor
from tests.unit.task_instance import FakeTaskInstance, context_of


def test_the_link_reads_what_the_task_pushed(monkeypatch):
    ti = FakeTaskInstance()
    push_dataflow_link(context_of(ti), "https://experience.adobe.com/x")
    monkeypatch.setattr(XCom, "get_value", lambda *, key, ti_key: ti.pushed(key))
    assert AepDataflowLink().get_link(None, ti_key=None) == "https://experience.adobe.com/x"


def test_a_task_that_has_not_got_that_far_has_no_link(monkeypatch):
    monkeypatch.setattr(XCom, "get_value", lambda *, key, ti_key: None)
    assert AepDataflowLink().get_link(None, ti_key=None) == ""


@pytest.mark.parametrize(
    "kind", [AepCreateDataflowOperator, AepListDataflowRunsOperator, AepDataflowRunSensor]
)
def test_whatever_names_a_dataflow_carries_the_link(kind):
    (link,) = kind.operator_extra_links
    assert isinstance(link, AepDataflowLink)
    assert link.xcom_key == "aep_dataflow_url"


def test_a_task_that_runs_gives_its_links_away_lest_airflow_writes_them_once_more():
    sensor = AepDataflowRunSensor(task_id="wait", dataflow_id="90c192cf-d3ac-44af-8f21-ddb66cad4a26")
    assert sensor.operator_extra_links
    sensor.pre_execute(context_of(FakeTaskInstance()))
    assert sensor.operator_extra_links == ()
    assert AepDataflowRunSensor.operator_extra_links


def test_a_deleted_dataflow_has_no_page_to_link_to():
    assert tuple(AepDeleteDataflowOperator.operator_extra_links) == ()

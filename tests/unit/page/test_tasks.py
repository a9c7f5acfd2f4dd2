"""What the page makes of XComs that others than this provider, or versions of it before, may have written."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.airflow3
INSTANCE = {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1}


def holding(value: object) -> SimpleNamespace:
    """A session to a database that holds one XCom."""
    found = SimpleNamespace(first=lambda: SimpleNamespace(value=value))
    return SimpleNamespace(scalars=lambda query: found)


def test_half_a_character_does_not_keep_the_rest_from_being_told():
    from airflow_provider_aep.page.tasks import check_of

    left = check_of(holding(json.dumps({"exports": [{"dataflow_name": "crm \ud83d"}]})), **INSTANCE)
    assert (
        json.dumps(left, ensure_ascii=False).encode()
        == b'{"exports": [{"dataflow_name": "crm \xef\xbf\xbd"}]}'
    )


@pytest.mark.parametrize("value", ["[" * 200_000, "{", "7", None, ["status"], {"a": 1}])
def test_what_is_no_verdict_is_none(value):
    from airflow_provider_aep.page.tasks import verdict_of

    assert verdict_of(holding(value), **INSTANCE) is None


@pytest.mark.parametrize("run_ids", [5, {"a": 1}, "r-1", [None, {"a": 1}], None])
def test_a_verdict_of_any_shape_is_shown(run_ids, monkeypatch):
    from airflow_provider_aep.page import app

    monkeypatch.setattr(app, "views_of", lambda *_: [])
    told = app.task("d", "r", "t", user=None, session=holding({"status": "failed", "run_ids": run_ids}))
    assert (told["state"], told["runs"]) == ("waited", [])

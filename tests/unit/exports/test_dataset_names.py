"""Names are sent with the ids of datasets, and a wrong id is found before anything is created."""

from __future__ import annotations

import pytest

from airflow_provider_aep.errors import AepAuthError, AepValidationError

CRM, ORDERS = "5ef3e3259ad2a1191ab7dd7d", "6501aa10c2d3e4f5061728a2"


def listings(desk):
    return [each for each in desk.emulator.log if each.path.endswith("/configs")]


def sent(desk):
    (source,) = desk.all("source connection")
    return source["params"]["datasets"]


def test_the_name_of_a_dataset_that_is_given_by_its_id_is_sent_with_it(desk):
    desk.ensure(desk.spec(datasets=[CRM]))
    name = next(one.name for one in desk.emulator.datasets() if one.id == CRM)
    assert sent(desk) == [{"dataSetId": CRM, "name": name}]


def test_a_name_that_is_given_is_sent_without_a_listing(desk):
    desk.ensure(desk.spec(datasets=[{"id": CRM, "name": "as I call it"}]))
    assert sent(desk) == [{"dataSetId": CRM, "name": "as I call it"}]
    assert listings(desk) == []


def test_many_new_exports_pay_one_listing_and_unchanged_ones_none(desk):
    specs = [desk.spec(name=f"export {number}", datasets=[CRM, ORDERS]) for number in range(6)]
    desk.ensure_all(*specs)
    assert len(listings(desk)) == 1
    assert not any(one.changed for one in desk.ensure_all(*specs))
    assert listings(desk) == []
    desk.ensure_all(*specs, desk.spec(name="by name", datasets=[{"name": "Loyalty Profiles"}, CRM]))
    assert len(listings(desk)) == 1


def test_an_id_that_cannot_be_exported_is_told_before_anything_is_created(desk):
    typo = CRM[:-1] + "e"
    with pytest.raises(AepValidationError) as caught:
        desk.plan(desk.spec(datasets=[ORDERS, typo]))
    (problem,) = caught.value.problems
    assert problem.pointer == "/datasets/1"
    assert f"did you mean '{CRM}'?" in problem.message
    assert "an access label hides it" in problem.message
    assert typo not in str(caught.value)
    bad, good = desk.ensure_all(desk.spec(datasets=[ORDERS, typo]), desk.spec(name="good"))
    assert isinstance(bad.error, AepValidationError)
    assert good.error is None
    assert [one["name"] for kind in desk.counts() for one in desk.all(kind)] == ["good"] * 4


def test_a_name_in_the_place_of_an_id_is_told_as_such(desk):
    desk.emulator.add_dataset("web_events")
    with pytest.raises(AepValidationError, match="is the name of a dataset, where its id is expected"):
        desk.plan(desk.spec(datasets=["web_events"]))


def test_datasets_that_may_not_be_listed_are_an_error_with_advice_and_nothing_is_created(desk):
    desk.emulator.fail_next(403, match="/configs", body={"error_code": "403999", "message": "no"})
    with pytest.raises(AepAuthError, match=r"View Datasets.*or give each dataset with its id and its name"):
        desk.ensure(desk.spec(datasets=[CRM]))
    assert desk.writes() == []

"""Ad hoc runs, the landing zone and sandboxes: what exports need from other services."""

from __future__ import annotations

import pytest

HOUR = 3600
CRM, LOYALTY = "5ef3e3259ad2a1191ab7dd7d", "5ef3e324ab7dd7d3259a1191"
ADHOC = "https://platform.adobe.io/data/core/activation/disflowprovider/adhocrun"
ACCEPT = "application/vnd.adobe.adhoc.dataset.activation+json; version=1"
SANDBOXES = "https://platform.adobe.io/data/foundation/sandbox-management/sandboxes"
CREDENTIALS = "https://platform.adobe.io/data/foundation/connectors/landingzone/credentials"


@pytest.fixture
def adhoc(api):
    def ask(flow_id, *dataset_ids, accept=ACCEPT):
        wanted = {"flowId": flow_id, "datasets": [{"id": each} for each in dataset_ids]}
        return api.call("POST", ADHOC, json={"activationInfo": {"destinations": [wanted]}}, Accept=accept)

    return ask


@pytest.fixture
def far_away(api):
    """A dataflow of two datasets that is scheduled for next year, for ad hoc runs only."""
    end = int(api.clock.now) + 400 * 24 * HOUR
    return api.export(CRM, LOYALTY, startTime=end - 24 * HOUR, endTime=end)["flow"]


def test_a_young_flow_is_not_ready(api, adhoc, far_away):
    answer = adhoc(far_away, CRM)
    assert answer.status == 400
    # Source: Adobe's Python client, which looks for these words.
    assert answer.json == {
        "message": "Following order ID(s) are not ready for dataset export, "
        "please wait for 10 minutes and retry."
    }
    api.clock.advance(600)
    assert adhoc(far_away, CRM).status == 200


def test_each_dataset_gets_a_run_of_its_own(api, adhoc, far_away):
    api.clock.advance(600)
    answer = adhoc(far_away, CRM, LOYALTY)
    (destination,) = answer.json["destinations"]
    assert [each["id"] for each in destination["datasets"]] == [CRM, LOYALTY]
    for each in destination["datasets"]:
        assert each["flowId"] == far_away
        base, _, run_id = each["statusURL"].rpartition("/")
        assert base == "https://platform.adobe.io/data/foundation/flowservice/runs"
        assert api.one(f"/runs/{run_id}")["flowId"] == far_away
    assert len(api.runs(far_away)) == 2


def test_a_second_run_is_refused_with_the_id_of_the_first(api, adhoc, far_away):
    api.clock.advance(600)
    adhoc(far_away, CRM)
    (run,) = api.runs(far_away)
    again = adhoc(far_away, CRM)
    assert again.status == 400
    assert "run already going on" in again.json["message"]
    assert f"with run id {run['id']}" in again.json["message"]
    api.clock.advance(HOUR)
    assert adhoc(far_away, CRM).status == 200


def test_an_ad_hoc_run_needs_its_own_accept_header_and_known_ids(api, adhoc, far_away, code):
    api.clock.advance(600)
    assert adhoc(far_away, CRM, accept="application/json").status == 400
    assert code(adhoc("unknown", CRM)) == "FLOW-1439-404"
    assert adhoc(far_away, "6501aa10c2d3e4f5061728a1").status == 400
    assert adhoc(far_away).status == 400
    assert api.runs(far_away) == []


def test_a_disabled_flow_does_not_run_ad_hoc(api, adhoc, far_away):
    api.clock.advance(600)
    api.call("POST", f"/flows/{far_away}/action", params={"op": "disable"})
    assert adhoc(far_away, CRM).status == 400


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_landing_zone_gives_out_azure_credentials(api, method):
    answer = api.call(method, CREDENTIALS, params={"type": "dlz_destination"})
    # Source: Data Landing Zone page.
    assert set(answer.json) == {"containerName", "SASToken", "storageAccountName", "SASUri"}
    assert answer.json["containerName"] == "dlz-destination"
    assert answer.json["SASUri"].endswith(answer.json["SASToken"])
    assert api.call(method, CREDENTIALS).status == 400


def test_a_sandbox_tells_its_id(api):
    sandbox = api.get(f"{SANDBOXES}/dev")
    api.headers["x-sandbox-name"] = "dev"
    made = api.post("/connections", api.base_body())
    assert api.one(f"/connections/{made['id']}")["sandboxId"] == sandbox["id"]
    assert api.call("GET", f"{SANDBOXES}/playground").status == 404

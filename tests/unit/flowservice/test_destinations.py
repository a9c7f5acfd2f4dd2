from __future__ import annotations

import pytest

from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.flowservice.connections import get_connection_spec
from airflow_provider_aep.flowservice.destinations import DESTINATIONS, get_destination


def test_an_unknown_destination_is_told_with_those_there_are():
    with pytest.raises(AepValidationError, match="s3, azure_blob, adls_gen2, data_landing_zone, gcs, sftp"):
        get_destination("dropbox")


def test_the_spec_ids_are_those_of_the_emulators_own_documents(run):
    for slug, destination in DESTINATIONS.items():
        spec = run(get_connection_spec(destination))
        assert (spec["name"], get_destination(slug)) == (destination.title, destination)


@pytest.mark.parametrize("rendered", [["s3"], {"s3": 1}, None, 5])
def test_what_is_no_text_is_an_unknown_destination(rendered):
    with pytest.raises(AepValidationError, match="must be one of s3"):
        get_destination(rendered)

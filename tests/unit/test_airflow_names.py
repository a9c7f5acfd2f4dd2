"""Every name of Airflow that the package imports exists on every supported release, from 2.11.0 on.

Only two releases are installed here. What the others have was asked of them: ``make versions`` renews
``airflow_names.json``.
"""

from __future__ import annotations

import pytest

from airflow_provider_aep import _airflow
from tools.airflow_names import imported, places, read_record
from tools.environment import LINES, OF_THEIR_TIME

RELEASES = {*LINES, *OF_THEIR_TIME}
BEFORE_3_0 = {"2.11.0", "2.11"}
# What some releases lack: the file that may import it all the same, as it first makes sure of the release.
GUARDED = {
    "page/": BEFORE_3_0,  # only Airflow 3.1 loads the plugin
    "notifications/gathering.py": BEFORE_3_0,
    "triggers/finished_runs.py": RELEASES - {"3.3"},
}
FROM_3_3 = {"ExceptionRetryPolicy", "RetryAction", "RetryDecision", "RetryPolicy", "RetryRule"}
RECORD = read_record()
IMPORTED = imported()


def test_all_supported_releases_were_asked():
    assert {release for has in RECORD.values() for release in has} == RELEASES


def test_every_name_that_is_imported_was_asked_for():
    wanted = {*IMPORTED, *(place for each in places().values() for place in each)}
    assert wanted - RECORD.keys() == set(), "run `make versions`: it asks each release for new names"


@pytest.mark.parametrize("name", sorted(IMPORTED))
def test_no_module_imports_what_a_release_lacks(name):
    if name.startswith("airflow.providers."):
        return  # an extra, or OpenLineage: imported where it is used, and only if it is installed
    lacking = RELEASES - set(RECORD[name])
    for file in IMPORTED[name]:
        allowed = next((releases for start, releases in GUARDED.items() if file.startswith(start)), set())
        assert lacking <= allowed, file


@pytest.mark.parametrize("name", sorted(places()))
def test_a_name_that_moved_is_found_on_every_release(name):
    found = {release for place in places()[name] for release in RECORD[place]}
    assert found == ({"3.3"} if name in FROM_3_3 else RELEASES)


def test_no_version_of_common_compat_is_needed():
    """All that is taken from there is for OpenLineage, whose provider brings it along."""
    taken = {name for name in IMPORTED if name.startswith("airflow.providers.common.")}
    assert {name.partition(":")[0] for name in taken} == {"airflow.providers.common.compat.openlineage.facet"}


def test_what_no_release_has_is_told_with_the_places(monkeypatch):
    monkeypatch.setitem(_airflow.PLACES, "Nowhere", ("airflow.nowhere", "airflow.exceptions"))
    with pytest.raises(ImportError, match=r"has no Nowhere in airflow\.nowhere or airflow\.exceptions"):
        _ = _airflow.Nowhere
    with pytest.raises(AttributeError, match="Other"):
        _ = _airflow.Other

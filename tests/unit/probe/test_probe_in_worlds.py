"""Each world in which the service may differ is recognized, by the row that concerns it."""

from __future__ import annotations

import pytest

from airflow_provider_aep.emulator.worlds import WORLDS
from airflow_provider_aep.flowservice.destinations import S3
from tests.unit.probe.sandbox import S3_LOGIN, make_place

# What no probe can see, and why.
CANNOT_BE_SEEN = {
    "runs-listed-after-30s": "it strikes a run in its first moments, and a probe lets nothing run",
    "runs-listed-after-10m": "it strikes a run in its first moments, and a probe lets nothing run",
    "adhoc-run-url-with-blank": "a probe exports nothing",
    "adhoc-one-run-for-all": "a probe exports nothing",
    "adhoc-answers-nothing": "a probe exports nothing",
    "adhoc-runs-twice": "a probe exports nothing",
    "adhoc-not-enabled": "a probe exports nothing",
    "past-start-refused": "an export that started in the past would run",
    "batch-ends-shown-after-1h": "a batch that is under way looks the same",
    "one-408-for-a-batch": "the session asks again after a 408, so nobody behind it sees one",
}
READ_ONLY = {
    "several-values-find-nothing": "several values in a filter",
    "several-values-first-only": "several values in a filter",
    "several-values-last-only": "several values in a filter",
    "several-values-ten-at-most": "a hundred values in a filter",
    "several-values-refused": "several values in a filter",
    "several-flows-find-nothing": "runs of several dataflows",
    "several-flows-first-only": "runs of several dataflows",
    "several-flows-refused": "runs of several dataflows",
    "description-filter-finds-nothing": "filter on description",
    "description-filter-refused": "filter on description",
    "name-filter-finds-nothing": "filter on name",
    "name-filter-refused": "filter on name",
    "name-filter-finds-parts": "filter on name",
    "name-filter-any-case": "filter on name",
    "nested-filter-finds-nothing": "filter on a member of a member",
    "nested-filter-refused": "filter on a member of a member",
    "array-filter-finds-nothing": "filter on a member of an array",
    "inherited-filter-finds-nothing": "filter on inheritedAttributes",
    "filters-ignored": "filter on id",
    "filters-refused": "filter on id",
    "long-query-refused": "a hundred values in a filter",
    "orderby-ignored": "order by creation",
    "orderby-refused": "order by creation",
    "listings-unordered": "order by creation",
    "listings-by-update": "order after a change",
    "limit-above-20-refused": "limit of 100",
    "pages-of-ten": "limit of 100",
    "next-link-absolute": "link to the next page",
    "next-link-with-base-path": "link to the next page",
    "next-link-as-text": "link to the next page",
    "last-page-without-links": "last page",
    "empty-page-in-the-middle": "pages",
    "pages-overlap": "pages",
    "last-page-repeats-its-token": "last page",
    "last-page-with-token": "last page",
    "token-without-filters": "token alone",
    "token-refuses-filters": "token beside filters",
    "listings-end-after-100": "listings of more than 100",
    "empty-listing-without-items": "listing that finds nothing",
    "count-beside-items": "count on a page",
    "runs-listed-for-a-day": "how long runs are listed",
    "runs-of-strangers": "filter on flowId",
    "descriptions-not-listed": "descriptions in listings",
    "schedule-as-texts": "numbers of schedules",
    "schedule-in-milliseconds": "numbers of schedules",
    "absent-as-null": "what an entity lacks",
    "enums-lower-case": "parameters of target connections",
    "time-unit-upper-case": "words of schedules",
    "mode-not-shown": "parameters of target connections",
    "export-mode-not-shown": "words of schedules",
    "end-time-not-shown": "words of schedules",
    "frequency-for-time-unit": "words of schedules",
    "states-upper-case": "states of dataflows",
    "states-not-shown": "other members in listings",
    "schedule-not-listed": "other members in listings",
    "params-not-listed": "other members in listings",
    "inherited-not-shown": "inheritedAttributes",
    "inherited-as-objects": "inheritedAttributes",
    "logins-not-shown": "logins in listings",
    "logins-shown": "logins in listings",
    "audit-fields-not-shown": "times of entities",
    "moments-as-texts": "times of entities",
    "moments-in-seconds": "times of entities",
    "run-counts-as-texts": "counts of runs",
    "run-status-upper-case": "status of runs",
    "run-status-other-words": "status of runs",
    "run-status-not-shown": "status of runs",
    "run-times-in-seconds": "times of runs",
    "run-end-as-stopped": "times of runs",
    "run-end-not-shown": "times of runs",
    "run-start-not-shown": "times of runs",
    "run-datasets-not-shown": "datasets of runs",
    "run-per-dataset": "runs for a tick",
    "bare-entities": "read by id",
    "etags-unquoted": "etag",
    "etags-weak": "etag",
    "etag-in-header-only": "etag",
    "etag-moves-at-every-read": "etag",
    "missing-answers-410": "read of what is not there",
    "missing-answers-400": "read of what is not there",
    "missing-answers-empty": "read of what is not there",
    "spec-without-auth": "connection specs",
    "spec-without-target": "connection specs",
    "specs-bare": "connection specs",
    "connection-specs-refused": "connection specs",
    "flow-specs-refused": "flow specs",
    "datasets-without-page-info": "listing of datasets",
    "datasets-always-have-next": "listing of datasets",
    "datasets-never-have-next": "listing of datasets",
    "datasets-two-on-a-page": "listing of datasets",
    "labels-hide-a-dataset": "datasets that are exported are listed",
    "labels-refuse-runs": "rights to read",
    "sandbox-api-refused": "type of the sandbox",
    "errors-without-codes": "read of what is not there",
    "run-datasets-by-bare-id": "datasets of runs",
    "source-datasets-as-id": "datasets of source connections",
    "several-datasets-find-nothing": "batches of several datasets",
    "several-datasets-first-only": "batches of several datasets",
    "batch-window-in-seconds": "window of batches",
    "batches-orderby-ignored": "batches in the Catalog",
    "batch-properties-ignored": "batches in the Catalog",
    "batches-twenty-at-most": "batches in the Catalog",
    "batches-as-list": "batches in the Catalog",
    "batches-in-items": "batches in the Catalog",
    "batch-counts-not-shown": "batches in the Catalog",
    "batch-counts-at-top-only": "batches in the Catalog",
    "batches-refused": "batches in the Catalog",
    "catalog-datasets-refused": "datasets in the Catalog",
    "unknown-dataset-refuses-all": "datasets in the Catalog",
}
BY_WRITING = {
    "created-listed-after-30s": "created, in a listing",
    "created-listed-after-90s": "created, in a listing",
    "created-listed-after-10m": "created, in a listing",
    "created-filtered-after-30s": "created, in a filtered listing",
    "created-listed-every-other-time": "created, in a listing",
    "created-readable-after-10s": "created, by id",
    "changes-listed-after-30s": "changed, in a listing",
    "changes-listed-after-10m": "changed, in a listing",
    "changes-readable-after-30s": "changed, by id",
    "deleted-listed-for-30s": "deleted, in a listing",
    "deleted-listed-for-90s": "deleted, in a listing",
    "deleted-readable-for-30s": "deleted, by id",
    "deleted-shown-for-30s": "deleted, by id",
    "descriptions-not-kept": "description, by id",
    "descriptions-lower-case": "description, by id",
    "descriptions-upper-case": "description, by id",
    "descriptions-cut-at-255": "description, by id",
    "descriptions-cut-at-64": "description, by id",
    "names-lower-case": "name, by id",
    "names-upper-case": "name, by id",
    "names-trimmed": "name, by id",
    "names-cut-at-32": "name, by id",
    "paths-end-with-slash": "path",
    "paths-without-first-slash": "path",
    "paths-begin-with-slash": "path",
    "params-as-texts": "parameters",
    "extra-members": "members that nobody sent",
    "folder-template-other-spelling": "schedule, words",
    "clock-5m-ahead": "clock by what was created",
    "clock-5m-behind": "clock by what was created",
    "reject-uncompressed-json": "JSON without compression",
    "new-flows-initialize": "state of a new dataflow",
    "new-flows-start-disabled": "state of a new dataflow",
    "post-answers-200": "create",
    "post-answers-items": "create",
    "post-answers-no-etag": "create",
    "post-answers-location-only": "create",
    "post-finds-its-twin": "two of one name",
    "duplicate-names-refused": "two of one name",
    "new-entities-not-referable": "what was created can be used",
    "logins-tried": "create",
    "labels-refuse-sources": "create",
    "end-after-six-months": "schedule, numbers",
    "etags-unquoted-but-matched-quoted": "If-Match",
    "if-match-ignored": "If-Match",
    "patch-answers-204": "PATCH",
    "patch-answers-items": "PATCH",
    "action-answers-204": "disable",
    "state-twice-is-fine": "disable twice",
    "actions-want-upper-case": "disable",
    "patch-wants-upper-case": "PATCH",
    "delete-answers-200": "delete",
    "delete-answers-204": "delete",
    "delete-wants-disabled": "delete",
    "delete-twice-is-fine": "delete twice",
    "delete-takes-connections-along": "connections of a deleted dataflow",
}
# Where something ends in an error, as the story in tests/worlds shows; all others are harmless.
ENDS_IN_AN_ERROR = {
    "connection-specs-refused",
    "created-listed-after-10m",
    "created-listed-after-90s",
    "created-readable-after-10s",
    "datasets-never-have-next",
    "delete-wants-disabled",
    "deleted-listed-for-90s",
    "descriptions-cut-at-255",
    "descriptions-cut-at-64",
    "descriptions-not-kept",
    "duplicate-names-refused",
    "empty-listing-without-items",
    "etag-in-header-only",
    "etags-unquoted-but-matched-quoted",
    "labels-refuse-runs",
    "labels-refuse-sources",
    "last-page-repeats-its-token",
    "logins-tried",
    "missing-answers-400",
    "missing-answers-410",
    "new-entities-not-referable",
    "new-flows-initialize",
    "patch-wants-upper-case",
    "reject-uncompressed-json",
    "run-status-not-shown",
    "run-status-other-words",
    "source-datasets-as-id",
    "spec-without-auth",
    "states-not-shown",
}
# Where something is lost that nobody can notice.
CANNOT_BE_NOTICED = {"listings-end-after-100", "if-match-ignored"}
KINDS = ("flows", "connections", "sourceConnections", "targetConnections")
HOURS_IN_A_WORLD = 13


@pytest.fixture
def place(request):
    """A sandbox with a past from before its world, and half a day in it."""
    world = request.param
    # How many runs a tick makes has to have been so before.
    given = {"run_per_dataset": True} if world == "run-per-dataset" else {}
    place = make_place(**given)
    if world:
        place.emulator.enter(world)
    place.clock.advance(HOURS_IN_A_WORLD * 3600)
    return place


def in_each(worlds):
    return pytest.mark.parametrize("place", worlds, indirect=True, ids=lambda name: name or "normal")


def test_each_world_is_recognized_or_it_is_said_why_not():
    seen = [*READ_ONLY, *BY_WRITING, *CANNOT_BE_SEEN]
    assert sorted(seen) == sorted(WORLDS)


@in_each([None])
def test_the_usual_world_is_as_assumed_in_every_row(place):
    results = place.look(write=True)
    assert {name: one.seen for name, one in results.items() if one.seen.level != "as assumed"} == {}
    assert not place.left


@in_each([*READ_ONLY, *BY_WRITING, *CANNOT_BE_SEEN])
def test_a_world_is_recognized_and_nothing_is_left_in_it(place, request):
    world = request.node.callspec.params["place"]
    given = {"destination": S3, "login": S3_LOGIN, "target_params": {"bucketName": "zanzibar"}}
    results = place.look(write=True, **(given if world == "logins-tried" else {}))
    row = {**READ_ONLY, **BY_WRITING}.get(world)
    if row:
        bad = world in ENDS_IN_AN_ERROR | CANNOT_BE_NOTICED
        assert results[row].seen.level == ("error" if bad else "differs")
        assert results[row].assumption.writes == (world in BY_WRITING)
    place.emulator.leave()
    assert not place.left
    for kind in KINDS:
        assert [one for one in place.emulator.entities(kind, "dev") if "aep-probe" in str(one)] == []

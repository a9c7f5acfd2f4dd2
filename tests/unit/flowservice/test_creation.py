"""An entity is created once, also where the service hides or delays what it has."""

from __future__ import annotations

import pytest

from airflow_provider_aep.errors import AepUnseenError
from airflow_provider_aep.flowservice.creation import create_entity

MARKER = "airflow 0123456789abcdef"
DLZ = {"id": "10440537-2a7b-4583-ac39-ed38d4b848e8", "version": "1.0"}


def create(**options):
    document = {"name": "crm", "connectionSpec": DLZ}
    return create_entity("connections", document, **{"marker": MARKER, **options})


@pytest.fixture
def kept(emulator):
    """The base connections that there are, listed or not."""
    return lambda: [each["id"] for each in emulator._world.entities.all("connections", "prod")]


@pytest.mark.parametrize(
    "world",
    [
        "description-filter-finds-nothing",
        "created-filtered-after-30s",
        "created-listed-after-30s",
        "descriptions-not-listed",
        "descriptions-upper-case",
        "filters-refused",
    ],
)
@pytest.mark.parametrize("retry", [False, True])
def test_what_a_lost_answer_has_made_is_found_in_whatever_world(run, emulator, kept, world, retry):
    emulator.enter(world)
    if retry:
        run(create())
        made = run(create(look_first=True))
    else:
        emulator.lose_next(match="POST /connections")
        made = run(create())
    assert kept() == [made.id]
    assert made.adopted


def test_what_was_made_twice_as_the_first_came_to_light_late_is_made_one(run, emulator, kept):
    emulator.enter("created-listed-after-90s")
    emulator.lose_next(match="POST /connections")
    made = run(create())
    assert kept() == [made.id]
    assert made.adopted
    assert len(emulator.requests("POST", "/connections")) == 2


def test_where_that_cannot_be_told_the_error_names_the_new_one(run, emulator, kept):
    emulator.enter("created-listed-after-10m")
    emulator.lose_next(match="POST /connections")
    with pytest.raises(AepUnseenError, match="no listing shows it") as told:
        run(create())
    assert told.value.ids[0] in kept()


def test_who_has_seen_the_service_lag_waits_twice_as_long_the_next_time(run, emulator):
    emulator.enter("created-listed-after-90s")
    emulator.lose_next(match="POST /connections")
    run(create())
    run.pauses.clear()
    emulator.drop_next(match="POST /connections")
    run(create(marker="airflow fedcba9876543210"))
    assert sum(run.pauses) > 65


def test_an_answer_that_is_wrapped_in_items_is_read(run, emulator, kept):
    emulator.enter("post-answers-items")
    assert run(create()).id == kept()[0]

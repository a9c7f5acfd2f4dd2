"""The export of a probe never runs, and goes again, whatever happens in between."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_aep.errors import AepConfigError, AepTransportError, AepWriteRefusedError
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.session import AepSession
from airflow_provider_aep.probe.carrying_out import carry_out, check_may_write
from airflow_provider_aep.probe.export import is_of_a_probe
from tests.unit.probe.sandbox import NOW, make_place

KINDS = ("flows", "connections", "sourceConnections", "targetConnections")


@pytest.fixture
def place():
    return make_place(filled=False)


def remains(place):
    return [one["id"] for kind in KINDS for one in place.emulator.entities(kind, "dev") if is_of_a_probe(one)]


class Interrupting:
    """The way to the emulator; it breaks off at the nth request, before or after it was carried out."""

    def __init__(self, emulator, at, *, after=False, error=KeyboardInterrupt, again=()):
        self.emulator, self.at, self.after, self.error, self.again = (
            emulator,
            {at, *again},
            after,
            error,
            again,
        )
        self.count = 0
        self.writes = []

    def send(self, request):
        self.count += 1
        if request.method != "GET":
            self.writes.append(self.count)
        if self.count in self.at and not self.after:
            raise self.error
        response = self.emulator.send(request)
        if self.count in self.at:
            raise self.error
        return response


def through(place, wire):
    return lambda exchange: drive(place.session.conduct(exchange, sandbox="dev"), wire, place.clock.advance)


def all_writes():
    """At which requests something is written, when nothing goes wrong."""
    place = make_place(filled=False)
    wire = Interrupting(place.emulator, at=-1)
    carry_out(through(place, wire), place.export(), say=lambda text: None)
    return wire.writes


WRITES = all_writes()


def test_it_starts_in_a_year_and_carries_its_mark(place):
    export, now = place.export(), place.now()
    carry_out(place.run, export, say=lambda text: None)
    bodies = {each.path: each.body for each in place.emulator.requests("POST") if each.body}
    assert set(bodies) >= {"/connections", "/sourceConnections", "/targetConnections", "/flows"}
    start = bodies["/flows"]["scheduleParams"]["startTime"]
    assert start >= int((now + timedelta(days=365)).timestamp())
    for body in bodies.values():
        assert body["name"].startswith(export.mark)
        assert body["description"].startswith(export.mark)


def test_nothing_of_it_ever_runs(place):
    ending = carry_out(place.run, place.export(), say=lambda text: None)
    assert ending.written is not None
    place.clock.advance(timedelta(days=400).total_seconds())
    assert place.emulator.entities("runs", "dev") == []


def test_two_exports_have_different_marks(place):
    assert place.export().mark != place.export().mark


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", WRITES)
def test_an_interruption_at_any_write_leaves_nothing(place, at, after):
    said = []
    wire = Interrupting(place.emulator, at, after=after)
    ending = carry_out(through(place, wire), place.export(), say=said.append)
    assert isinstance(ending.trouble, KeyboardInterrupt)
    assert remains(place) == []
    # Where it was interrupted in a POST nobody can know for sure, and it says so.
    assert all(one.id is None for one in ending.left)


@pytest.mark.parametrize("at", sorted({*range(5, 110, 7)} - {*WRITES}))
def test_an_interruption_while_it_looks_leaves_nothing(place, at):
    ending = carry_out(
        through(place, Interrupting(place.emulator, at)), place.export(), say=lambda text: None
    )
    assert isinstance(ending.trouble, KeyboardInterrupt)
    assert ending.left == []
    assert remains(place) == []


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, OSError])
def test_an_error_in_between_leaves_nothing(place, error):
    wire = Interrupting(place.emulator, WRITES[-12], error=error)
    ending = carry_out(through(place, wire), place.export(), say=lambda text: None)
    assert ending.trouble is not None
    assert remains(place) == []


def test_a_second_interruption_says_what_is_left_and_how_to_remove_it(place):
    at = WRITES[6]
    wire = Interrupting(place.emulator, at, again=(at + 1,))
    ending = carry_out(through(place, wire), place.export(), say=lambda text: None)
    assert isinstance(ending.trouble, KeyboardInterrupt)
    left = remains(place)
    assert left
    assert sorted(one.id for one in ending.left if one.id) == sorted(left)
    for one in ending.left:
        if one.id:
            assert f"DELETE /data/foundation/flowservice/{one.kind}/{one.id}" in str(one)


def test_a_lost_connection_between_create_and_delete_says_what_is_left(place):
    broken = []

    class Broken:
        def send(self, request):
            if broken:
                raise AepTransportError("no route", sent=False)
            response = place.emulator.send(request)
            if request.method == "POST" and request.path == "/flows":
                broken.append(True)
            return response

    export = place.export()
    ending = carry_out(through(place, Broken()), export, say=lambda text: None)
    assert isinstance(ending.trouble, AepTransportError)
    assert sorted(one.id for one in ending.left) == sorted(remains(place))
    assert next(one.kind for one in ending.left) == "flows"
    # Hours are not waited for a network that is gone.
    assert place.clock() < NOW + 900


@pytest.mark.parametrize("kind", KINDS)
def test_a_create_whose_answer_is_lost_is_found_and_removed(place, kind):
    place.emulator.lose_next(match=f"POST /{kind}")
    ending = carry_out(place.run, place.export(), say=lambda text: None)
    assert ending.trouble is None
    assert ending.written.made[kind].id
    assert ending.left == []
    assert remains(place) == []


@pytest.mark.parametrize(
    "world", [None, "descriptions-not-kept", "names-upper-case", "limit-above-20-refused"]
)
def test_what_an_earlier_probe_left_is_found_by_its_mark_and_removed(place, world):
    at = WRITES[8]
    carry_out(
        through(place, Interrupting(place.emulator, at, again=(at + 1,))),
        place.export(),
        say=lambda text: None,
    )
    left = len(remains(place))
    assert left
    if world:
        place.emulator.enter(world)
    ending = carry_out(place.run, place.export(), say=lambda text: None)
    assert ending.earlier == left
    assert remains(place) == []


def test_what_only_looks_like_a_probes_stays(place):
    from airflow_provider_aep.flowservice.connections import create_base_connection
    from airflow_provider_aep.flowservice.destinations import DATA_LANDING_ZONE

    for name in ("aep-probe", "aep-probe-nightly", "my aep-probe-0123456789ab", "aep-probe-0123456789abcd"):
        place.run(create_base_connection(name=name, destination=DATA_LANDING_ZONE, login=None))
    carry_out(place.run, place.export(), say=lambda text: None)
    assert len(place.emulator.entities("connections", "dev")) == 4


def test_a_connection_that_may_not_write_makes_nothing(place, credentials):
    place.session = AepSession(place.session.credentials, writes="none", now=place.clock, jitter=lambda: 0.0)
    ending = carry_out(place.run, place.export(), say=lambda text: None)
    assert isinstance(ending.trouble, AepWriteRefusedError)
    assert {record.method for record in place.emulator.log if "/ims/" not in record.path} == {"GET"}
    assert ending.left == []


# Where it may write


def test_a_development_sandbox_needs_no_name(place):
    place.run(check_may_write("dev", None))


@pytest.mark.parametrize("typed", ["", "Prod", "prod ", "dev"])
def test_another_sandbox_needs_exactly_its_name(place, typed):
    place.sandbox = "prod"
    with pytest.raises(AepConfigError, match="names another sandbox"):
        place.run(check_may_write("prod", typed))
    place.run(check_may_write("prod", "prod"))


def test_a_name_that_is_not_typed_closes_production(place):
    place.sandbox = "prod"
    with pytest.raises(AepConfigError, match="--confirm-sandbox prod"):
        place.run(check_may_write("prod", None))


def test_a_type_that_cannot_be_read_closes_a_sandbox_whose_name_was_not_typed(place):
    place.emulator.enter("sandbox-api-refused")
    with pytest.raises(AepConfigError, match="does not show its type"):
        place.run(check_may_write("dev", None))
    place.run(check_may_write("dev", "dev"))

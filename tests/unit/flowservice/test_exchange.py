import asyncio
import json
import re
import threading
from contextvars import ContextVar

import pytest

from airflow_provider_aep.errors import AepApiError, AepNotFoundError, AepTransportError
from airflow_provider_aep.flowservice.driving import adrive, advance, drive
from airflow_provider_aep.flowservice.exchange import Done, Pause, Request, Response, conduct, going_on
from airflow_provider_aep.flowservice.habits import Habits

GREETING = Request("GET", "/greeting")


class Echo:
    """A transport that answers with the path it was asked for."""

    def send(self, request):
        return Response(200, body=f'{{"path": "{request.path}"}}'.encode())


class Broken:
    def send(self, request):
        raise AepTransportError("no route", sent=False)


def two_greetings():
    first = yield GREETING
    yield Pause(3)
    second = yield Request("GET", "/farewell")
    return [first.json["path"], second.json["path"]]


def test_an_exchange_is_driven_to_its_result():
    pauses = []
    assert drive(two_greetings(), Echo(), pauses.append) == ["/greeting", "/farewell"]
    assert pauses == [3]


def test_an_exchange_is_driven_to_the_same_result_in_an_event_loop(monkeypatch):
    pauses = []

    async def unslept(seconds):
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", unslept)
    assert asyncio.run(adrive(two_greetings(), Echo())) == ["/greeting", "/farewell"]
    assert pauses == [3]


def test_advancing_stops_at_a_pause_and_at_the_end():
    exchange = two_greetings()
    assert advance(exchange, Echo()) == Pause(3)
    assert advance(exchange, Echo()) == Done(["/greeting", "/farewell"])


def test_one_that_has_begun_goes_on_to_the_same_result():
    exchange = two_greetings()
    begun = going_on(exchange, next(exchange))
    assert drive(begun, Echo(), lambda seconds: None) == ["/greeting", "/farewell"]


def test_an_error_reaches_one_that_had_begun_and_that_may_ask_something_else():
    def careful():
        try:
            yield GREETING
        except AepTransportError:
            return (yield Request("GET", "/other")).json["path"]

    class BrokenAtFirst(Echo):
        def send(self, request):
            return Broken().send(request) if request == GREETING else super().send(request)

    exchange = careful()
    assert drive(going_on(exchange, next(exchange)), BrokenAtFirst()) == "/other"


def test_a_transport_error_surfaces_where_the_request_was_made():
    def careful():
        try:
            yield GREETING
        except AepTransportError as error:
            return f"handled: {error}"

    assert drive(careful(), Broken()) == "handled: no route"


def test_an_error_that_nobody_handles_leaves_the_exchange_after_its_finally():
    tidied = []

    def untroubled():
        try:
            yield GREETING
        finally:
            tidied.append(True)

    with pytest.raises(AepTransportError, match="no route"):
        drive(untroubled(), Broken())
    assert tidied == [True]


def test_a_defect_in_the_exchange_itself_is_not_swallowed():
    def defective():
        reply = yield GREETING
        return reply.json["missing"]

    with pytest.raises(KeyError):
        drive(defective(), Echo())


def test_conducting_hands_each_request_to_the_asker_and_keeps_pauses_in_order():
    asked = []

    def ask(request):
        asked.append(request.path)
        yield Pause(1)
        return (yield request)

    pauses = []
    assert drive(conduct(two_greetings(), ask, Habits()), Echo(), pauses.append) == ["/greeting", "/farewell"]
    assert asked == ["/greeting", "/farewell"]
    assert pauses == [1, 3, 1]


def test_what_the_asker_raises_surfaces_inside_the_exchange():
    def refuse(request):
        yield Pause(1)
        raise AepNotFoundError(doing=str(request), status=404, message="gone")

    def tolerant():
        try:
            yield GREETING
        except AepNotFoundError:
            yield Pause(9)
            return "gone, then"

    pauses = []
    assert drive(conduct(tolerant(), refuse, Habits()), Echo(), pauses.append) == "gone, then"
    assert pauses == [1, 9]


def test_an_asker_that_fails_for_a_reason_of_its_own_still_lets_the_exchange_tidy_up():
    tidied = []

    def untroubled():
        try:
            yield GREETING
        finally:
            tidied.append(True)

    def faulty(request):
        yield Pause(0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        drive(conduct(untroubled(), faulty, Habits()), Echo(), lambda seconds: None)
    assert tidied == [True]


def test_the_event_loop_stays_awake_while_an_answer_is_outstanding():
    answered = threading.Event()

    class Slow:
        def send(self, request):
            assert answered.wait(10), "the loop was held up, so nobody could answer"
            return Response(200)

    async def story():
        waiting = asyncio.create_task(adrive(one(), Slow()))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not waiting.done()
        answered.set()
        return await waiting

    assert asyncio.run(story()) == 200


def test_a_cancelled_wait_ends_at_once_and_tidies_up():
    tidied = threading.Event()

    def patient():
        try:
            yield Pause(3600)
        finally:
            tidied.set()

    async def story():
        waiting = asyncio.create_task(adrive(patient(), Echo()))
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(asyncio.wait_for(story(), 10))
    assert tidied.wait(10)


def test_a_stalled_service_leaves_the_default_executor_to_others():
    released = threading.Event()

    class Stalled:
        def send(self, request):
            released.wait(10)
            return Response(200)

    async def story():
        stalled = [asyncio.create_task(adrive(one(), Stalled())) for _ in range(50)]
        try:
            return await asyncio.wait_for(asyncio.to_thread(lambda: "served"), 5)
        finally:
            released.set()
            await asyncio.gather(*stalled)

    assert asyncio.run(story()) == "served"


def test_context_variables_reach_the_thread_that_sends():
    task_id = ContextVar("task_id", default="nobody")

    class Witness:
        def send(self, request):
            return Response(200, {"asked-by": task_id.get()})

    def who():
        return (yield GREETING).headers["asked-by"]

    async def story():
        task_id.set("sensor")
        return await adrive(who(), Witness())

    assert asyncio.run(story()) == "sensor"


def test_a_request_shows_method_and_path_and_nothing_that_could_be_secret():
    request = Request(
        "POST",
        "https://ims.example.com/token?code=s3cret",
        headers={"Authorization": "s3cret"},
        form={"client_secret": "s3cret"},
        json={"password": "s3cret"},
    )
    assert str(request) == "POST /token"
    assert "s3cret" not in repr(Request("POST", "/x", headers=request.headers, json=request.json))


def one():
    return (yield GREETING).status


@pytest.mark.parametrize(
    "body", [b'{"items": null}', b'{"items": [{}]}', b'{"items": ["x"]}', b'{"items": [{"at": "x"}]}']
)
def test_an_answer_that_the_exchange_cannot_read_is_the_services_fault(ask, body):
    def read():
        reply = yield GREETING
        return int(reply.json["items"][0]["at"]).bit_length()

    class Odd:
        def send(self, request):
            return Response(200, body=body)

    with pytest.raises(AepApiError, match=r"GET /greeting answered 200: .*unexpected shape") as caught:
        drive(conduct(read(), ask, Habits()), Odd())
    assert isinstance(caught.value.__cause__, KeyError | TypeError | AttributeError | ValueError)


def test_a_mistake_before_any_request_is_not_blamed_on_the_service(ask):
    def mistaken():
        {}["x"]
        yield GREETING

    with pytest.raises(KeyError):
        drive(conduct(mistaken(), ask, Habits()), Echo())


def test_a_mistake_of_the_transport_is_not_blamed_on_the_service(ask):
    class Mistaken:
        def send(self, request):
            raise TypeError("a body that is no JSON")

    with pytest.raises(TypeError, match="no JSON"):
        drive(conduct(two_greetings(), ask, Habits()), Mistaken())


def test_a_body_that_is_nested_absurdly_deep_is_no_json():
    assert Response(200, {}, b"[" * 200_000 + b"]" * 200_000).json is None


@pytest.mark.parametrize("odd", [rb"\ud800", rb"\u0000", b"\xed\xa0\x80", rb"\uDFFF"])
def test_words_that_no_database_takes_are_replaced_where_they_come_in(odd):
    told = Response(200, {}, b'{"name' + odd + b'": ["crm ' + odd + b'"]}').json
    text = json.dumps(told, ensure_ascii=False)
    assert re.fullmatch('{"name\ufffd+": \\["crm \ufffd+"\\]}', text)


def test_an_emoji_and_a_korean_name_stay_as_they_are():
    body = json.dumps({"name": "\N{ROCKET}"}).encode()
    assert Response(200, {}, body).json == {"name": "\N{ROCKET}"}
    assert Response(200, {}, '{"name": "한국"}'.encode()).json == {"name": "한국"}

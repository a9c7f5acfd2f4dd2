"""When a token is fetched anew, which task fetches it, and how long the others wait for it."""

from __future__ import annotations

import gc
import threading

import pytest

from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.errors import AepAuthError
from airflow_provider_aep.flowservice.datasets import list_datasets
from airflow_provider_aep.flowservice.driving import advance, drive
from airflow_provider_aep.flowservice.exchange import Done, Pause
from airflow_provider_aep.flowservice.session import AepSession

LOGIN = ("POST", "/ims/token/v3")


class SlowLogin:
    """The way to the emulator, on which the response to a login takes a while."""

    def __init__(self, emulator, seconds):
        self.emulator, self.seconds = emulator, seconds

    def send(self, request):
        response = self.emulator.send(request)
        if request.form is not None:
            self.emulator.clock.advance(self.seconds)
        return response


@pytest.fixture
def session(run) -> AepSession:
    return run.session


@pytest.fixture
def new_task(session):
    """``new_task()``: one more task of the same credential, which lists datasets."""
    return lambda: session.conduct(list_datasets(), sandbox="prod")


def finish(task, request, emulator):
    """Give a task the response to the request that it has made, and let it go on to its end."""
    try:
        while True:
            request = task.send(emulator.send(request))
    except StopIteration as end:
        return end.value


# A token that is about to end


@pytest.mark.parametrize(("token_seconds", "used_for"), [(86399, 86399 - 600), (300, 150)])
def test_a_token_is_no_longer_used_when_the_time_for_its_renewal_has_come(
    run, clock, token_seconds, used_for
):
    run.emulator = Emulator(clock=clock, token_seconds=token_seconds)
    run(list_datasets())
    clock.advance(used_for)
    run(list_datasets())
    assert len(run.emulator.requests(*LOGIN)) == 2


def test_after_a_slow_login_no_request_is_sent_with_a_token_that_has_ended(new_task, clock):
    emulator = Emulator(clock=clock, token_seconds=60)
    slow = SlowLogin(emulator, seconds=40)
    drive(new_task(), slow)
    clock.advance(25)  # 65 seconds after the token was issued
    assert drive(new_task(), slow)
    assert {each.status for each in emulator.log} == {200}


# An exchange that is collected


def test_an_exchange_that_is_collected_while_the_lock_is_held_lets_its_thread_go_on(credentials, emulator):
    """The collector runs wherever an object is made, also in the middle of what the lock guards."""
    lost = []

    def collecting() -> float:
        if lost:
            lost.clear()
            gc.collect()
        return emulator.clock()

    session = AepSession(credentials, now=collecting)
    exchange = session.conduct(list_datasets(), sandbox="prod")
    assert next(exchange).form  # it holds the claim
    circle = [exchange]
    circle.append(circle)  # as a traceback makes them: only the collector finds it
    del exchange, circle
    lost.append(True)
    found = []

    def another() -> None:
        found.append(drive(session.conduct(list_datasets(), sandbox="prod"), emulator))

    thread = threading.Thread(target=another, daemon=True)
    thread.start()
    thread.join(10)
    assert found
    assert len(emulator.requests(*LOGIN)) == 1


# A login that takes long, fails, or never ends


def test_a_task_that_waits_for_the_login_of_another_polls_at_least_once_a_second(new_task, emulator):
    logging_in, waiting = new_task(), new_task()
    assert next(logging_in).form
    pauses = [advance(waiting, emulator).seconds for _ in range(7)]
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert emulator.requests() == []


def test_a_login_that_hangs_holds_up_the_other_tasks_for_400_seconds_and_no_longer(new_task, emulator, clock):
    hung, waiting = new_task(), new_task()
    assert next(hung).form  # and no response ever comes
    clock.advance(399)
    assert isinstance(advance(waiting, emulator), Pause)
    clock.advance(1)
    assert isinstance(advance(waiting, emulator), Done)
    assert len(emulator.requests(*LOGIN)) == 1


def test_a_hung_task_that_is_killed_makes_nobody_log_in_beside_the_one_that_took_over(
    new_task, emulator, clock
):
    hung, second, third = new_task(), new_task(), new_task()
    assert next(hung).form
    clock.advance(400)
    login = next(second)
    assert login.form
    hung.close()
    assert isinstance(advance(third, emulator), Pause)
    assert finish(second, login, emulator)
    assert isinstance(advance(third, emulator), Done)
    assert len(emulator.requests(*LOGIN)) == 1


def test_a_task_that_waits_for_a_new_login_does_not_fail_with_the_error_of_an_earlier_one(
    run, new_task, emulator
):
    emulator.fail_next(400, match="/ims/token", body={"error": "invalid_client"})
    with pytest.raises(AepAuthError):
        run(list_datasets())
    logging_in, waiting = new_task(), new_task()
    login = next(logging_in)
    for _ in range(2):
        assert isinstance(advance(waiting, emulator), Pause)
    assert finish(logging_in, login, emulator)
    assert isinstance(advance(waiting, emulator), Done)

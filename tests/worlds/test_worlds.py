"""In whatever world the service lives, the provider does no harm in silence."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import pytest

from airflow_provider_aep.emulator.worlds import WORLDS
from airflow_provider_aep.exports.apply import ensure_exports
from airflow_provider_aep.monitoring import explaining
from airflow_provider_aep.monitoring.causes import Cause
from tests.worlds.__main__ import pairs
from tests.worlds.acts import (
    ACTS,
    Stage,
    empty_runs,
    replace_datasets,
    replace_switched_off,
    tell,
    two_writers,
)
from tests.worlds.driving import take_turns
from tests.worlds.sandbox import LOGINS, UNCHANGED, export, sandbox, send, session_of

# What they tell is right: that another writer was faster, what is left behind, that a POST was refused.
TALKATIVE = {two_writers, replace_datasets, replace_switched_off}
PAIRS = pairs(15, seed=1)


@pytest.mark.parametrize("act", [act for act in ACTS if act not in TALKATIVE], ids=lambda act: act.__name__)
def test_in_the_usual_world_nothing_is_told(act):
    score = tell([], [act])
    assert (score.told, score.harms) == ([], [])


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_the_usual_world_is_not_harmed(act):
    assert tell([], [act]).harms == []


@pytest.fixture(scope="module")
def scores(request):
    """How the story ends in each place of the tests that were chosen; told by two processes."""
    chosen = [item.callspec.params for item in request.session.items if "scores" in item.fixturenames]
    places = list(dict.fromkeys(params["names"] for params in chosen if "names" in params))
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(min(2, len(places)), mp_context=fork) as processes:
        told = processes.map(partial(tell, acts=ACTS), places, chunksize=4)
        return dict(zip(places, told, strict=True))


@pytest.mark.parametrize("names", [(name,) for name in WORLDS], ids=" + ".join)
def test_no_world_is_harmed_in_silence(names, scores, figures):
    figures.count("worlds", scores[names])
    assert scores[names].harms == []


@pytest.mark.parametrize("names", PAIRS, ids=" + ".join)
def test_no_pair_of_worlds_is_harmed_in_silence(names, scores, figures):
    figures.count("pairs", scores[names])
    assert scores[names].harms == []


# The harness itself: a harm that was done must be seen


def test_a_twin_that_nobody_was_told_of_is_seen():
    stage = Stage([])
    flow = stage.flow(UNCHANGED)
    stage.check_single(UNCHANGED)
    assert stage.score.harms == []
    body = {key: flow[key] for key in ("name", "flowSpec", "sourceConnectionIds", "targetConnectionIds")}
    made = send(
        stage.emulator, stage.session, "POST", "/flows", {**body, "scheduleParams": flow["scheduleParams"]}
    )
    stage.check_single(UNCHANGED)
    assert [kind for kind, _ in stage.score.harms] == ["silent twins"]
    stage.score.harms.clear()
    stage.score.told.append(f"there is also {made.json['id']}")
    stage.check_single(UNCHANGED)
    assert stage.score.harms == []


def test_a_dataflow_that_is_gone_after_a_good_ensure_is_seen():
    stage = Stage([])
    outcomes = stage.ensure(export(UNCHANGED))
    stage.check_green(outcomes)
    assert stage.score.harms == []
    send(stage.emulator, stage.session, "DELETE", f"/flows/{stage.flow(UNCHANGED)['id']}")
    stage.check_green(outcomes)
    assert [kind for kind, _ in stage.score.harms] == ["false greens"]


def test_an_ensure_that_writes_again_and_again_is_seen(monkeypatch):
    stage = Stage([])
    written = iter(["DELETE flows", "PATCH flows", "PATCH flows"])
    monkeypatch.setattr(stage, "writes", lambda: [next(written)])
    stage.check_settled(export(UNCHANGED))
    assert stage.score.harms == [("endless updates", "PATCH flows")]


@pytest.mark.parametrize(
    ("kind", "harms"),
    [("nothing_ingested", {"false greens"}), ("not_exported", {"false alarms"}), ("unknown", set())],
)
def test_a_wrong_word_about_empty_runs_is_seen(monkeypatch, kind, harms):
    monkeypatch.setattr(explaining, "cause_of", lambda *asked, **given: Cause(kind=kind, told="so it is"))
    assert {harm for harm, _ in tell([], [empty_runs]).harms} == harms


def test_two_writers_really_collide():
    emulator = sandbox()
    spec = export("CRM of two")
    writers = [
        session_of(emulator).conduct(
            ensure_exports([spec], sandbox="prod", now=Stage([]).now, logins=LOGINS), sandbox="prod"
        )
        for _ in range(2)
    ]
    take_turns(writers, emulator)
    assert len(emulator.requests("POST", "/connections")) == 2
    assert len(emulator.requests("DELETE", "/connections/*")) == 1


def test_the_sandbox_is_as_the_story_tells():
    emulator = sandbox()
    flows, runs = emulator.entities("flows"), emulator.entities("runs")
    others = [flow for flow in flows if flow["name"].endswith("others")]
    underway = [run for run in runs if "completedAtUTC" not in run["metrics"]["durationSummary"]]
    assert (len(others), len(underway)) == (30, 3)
    assert max(run["createdAt"] for run in runs) - min(run["createdAt"] for run in runs) > 9 * 86_400_000
    emulator.clock.advance(60)
    assert sandbox().clock() == emulator.clock() - 60

"""The two monitoring examples, run by Airflow over a past in which all that can go wrong did, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.airflow.past import TICK, Turn, check_at, export, serve_past, turn
from tests.truth.listing import Service
from tests.truth.world import HOUR, MINUTE

__all__ = ["serve_past", "turn"]

THREE_TICKS = (TICK - 2 * HOUR, TICK - HOUR, TICK)

pytestmark = pytest.mark.airflow


@pytest.fixture
def service(serve_past: Callable[..., Service]) -> Service:
    """Exports every hour and every day. What goes wrong does so at one tick, and all else goes well."""
    return serve_past(
        export("hourly-good", every=1),
        export("hourly-failed", every=1, written={TICK: "failed"}),
        # Three in a row: that many the example's check waits for, while its sensor takes none.
        export("hourly-empty", every=1, written=dict.fromkeys(THREE_TICKS, "zero_records")),
        export("hourly-hangs", every=1, written={TICK: "stuck"}),
        export("hourly-never-ran", every=1, written={TICK: "missing"}),
        # After its next tick, whose own run starts two minutes later.
        export("hourly-late", every=1, started={TICK: 70 * MINUTE, TICK + HOUR: 12 * MINUTE}),
        export("daily-good", every=24),
        export("daily-failed", every=24, written={TICK: "failed"}),
        export("daily-hangs", every=24, written={TICK: "stuck"}),
        export("daily-never-ran", every=24, written={TICK: "missing"}),
        export("daily-pair", every=24, datasets=2),
        export("daily-half-a-pair", every=24, datasets=2, written={TICK: "incomplete"}),
    )


def test_checks_every_hour_alert_once_on_whatever_went_wrong(service: Service, turn: Turn) -> None:
    alerts: Counter[tuple[str, str, int]] = Counter()
    states = {}
    for hour in range(12):
        told: list[Mapping[str, Any]] = []

        def listen(names: dict[str, Any], told: list[Mapping[str, Any]] = told) -> None:
            names["alert"].send = lambda text, about: told.extend(about["alerts"])

        run = turn("aep_check_exports", check_at(service, TICK + hour * HOUR), prepare=listen)
        alerts.update((alert["dataflow_name"], alert["status"], hour) for alert in told)
        states[hour] = str(run.state)
    # By the check after it became known: a run ended; 150 minutes had passed; and of an hourly export, whose
    # late run might have come as long as the next ones were not there, five hours more.
    assert alerts == {
        ("export hourly-failed", "failed", 1): 1,
        ("export hourly-empty", "zero_records", 1): 1,
        ("export daily-failed", "failed", 1): 1,
        ("export hourly-hangs", "stuck", 3): 1,
        ("export daily-hangs", "stuck", 3): 1,
        ("export daily-never-ran", "gaps", 3): 1,
        ("export daily-half-a-pair", "incomplete", 3): 1,
        ("export hourly-never-ran", "gaps", 8): 1,
        # The next good run ends what was told.
        ("export hourly-failed", "recovered", 2): 1,
        ("export hourly-empty", "recovered", 2): 1,
        ("export hourly-never-ran", "recovered", 9): 1,
    }
    assert [hour for hour, state in states.items() if state == "failed"] == [1, 3, 8]


def test_a_sensor_for_each_tick_alerts_once_on_whatever_went_wrong(
    service: Service, turn: Turn, states: Callable[[Any], dict[str, str]], pulled: Callable[..., Any]
) -> None:
    service.now = TICK + 24 * HOUR
    alerts: Counter[tuple[str, str]] = Counter()

    def listen(names: dict[str, Any]) -> None:
        names["alert"].send = lambda text, about: alerts.update([(waited(about), about["status"])])

    def waited(about: Mapping[str, Any]) -> str:
        # Where no run came there is no verdict; the link says which dataflow it was.
        return f"{about['link'].rpartition('/')[2]} in {about['run_id']}"

    bad = {}
    for hour in (TICK, TICK + HOUR):
        run = turn("aep_monitor_each_export", hour + HOUR, prepare=listen)
        waits = pulled(run, "choose_ticks")
        assert {wait["tick"] for wait in waits} == {hour.isoformat()}
        assert len(waits) == (12 if hour == TICK else 6)
        bad[hour] = {
            wait["dataflow_id"]
            for at, wait in enumerate(waits)
            if states(run)[f"judge_runs/{at}"] != "success"
        }
    place = f"in scheduled__{(TICK + HOUR).isoformat()}"
    assert alerts == {
        (f"hourly-failed {place}", "failed"): 1,
        (f"hourly-empty {place}", "zero_records"): 1,
        (f"hourly-hangs {place}", "stuck"): 1,
        (f"hourly-never-ran {place}", "error"): 1,
        (f"daily-failed {place}", "failed"): 1,
        (f"daily-hangs {place}", "stuck"): 1,
        (f"daily-never-ran {place}", "error"): 1,
        (f"daily-half-a-pair {place}", "incomplete"): 1,
    }
    # The run of the late one is that of its own tick, and the next tick has the run after it.
    assert bad == {
        TICK: {name for name, _ in told_of(alerts) if name != "hourly-empty"},
        TICK + HOUR: set(),
    }


def told_of(alerts: Mapping[tuple[str, str], int]) -> list[tuple[str, str]]:
    return [(where.partition(" in ")[0], status) for where, status in alerts]

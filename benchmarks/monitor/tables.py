"""The figures as text: ratios first, then what they are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping

from benchmarks.monitor.job import OURS, Figures

WIDTH = 16


def costs(figures: Mapping[str, Figures], *, interval: float) -> str:
    lines = []
    if (ours := figures.get(OURS)) is not None:
        base = _compared(ours)
        lines.append(f"{'times this provider':<20}{'CPU':>8}{'requests':>10}{'lag p99':>9}{'memory':>8}")
        for name, one in figures.items():
            cells = [_ratio(value, against) for value, against in zip(_compared(one), base, strict=True)]
            lines.append(f"{name:<20}{cells[0]:>8}{cells[1]:>10}{cells[2]:>9}{cells[3]:>8}")
        lines.append("")
    lines.append(
        f"{'absolute':<20}{'CPU ms':>8}{'start':>7}{'requests':>10}{'in all':>8}"
        f"{'lag p50':>9}{'p99':>8}{'max':>8}{'KiB':>7}{'found':>7}{'told':>7}{'lost':>6}{'waiting':>9}"
    )
    for name, one in figures.items():
        p50, p99, most = map(_number, one.lag)
        found, told = _share(one.found, interval), _share(one.told, interval)
        lines.append(
            f"{name:<20}{one.cpu:8.2f}{one.start_cpu:7.2f}{one.requests:10.3f}{one.all_requests:8.2f}"
            f"{p50:>9}{p99:>8}{most:>8}{one.memory:7.1f}{found:>7}{told:>7}{one.lost:6}{one.waiting:9}"
        )
    return "\n".join(lines + _remarks(figures))


def losses(figures: Mapping[str, Figures], *, waiters: int) -> str:
    lines = [
        f"{'':<20}{'lost':>6}{'of':>6}{'waiting':>9}"
        f"{'requests':>10}{'refused':>9}{'connections':>13}{'found s':>9}"
    ]
    for name, one in figures.items():
        found = "-" if one.found is None else f"{one.found:.1f}"
        lines.append(
            f"{name:<20}{one.lost:6}{waiters:6}{one.waiting:9}{one.all_requests * one.started:10.0f}"
            f"{one.refused:9}{one.most_connections:13}{found:>9}"
        )
    return "\n".join(lines + _remarks(figures))


def _compared(figures: Figures) -> tuple[float, float, float, float]:
    return figures.cpu, figures.requests, figures.lag[1], figures.memory


def _ratio(value: float, against: float) -> str:
    return f"{value / against:.2f}" if against > 0 and math.isfinite(value) else "-"


def _share(seconds: float | None, interval: float) -> str:
    return "-" if seconds is None else f"{seconds / interval:.2f}"


def _number(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "blocked"


def _remarks(figures: Mapping[str, Figures]) -> list[str]:
    said = [f"{name}: {each}" for name, one in figures.items() for each in one.losses]
    return ["", "what the lost said:", *(f"  {each[:150]}" for each in said)] if said else []

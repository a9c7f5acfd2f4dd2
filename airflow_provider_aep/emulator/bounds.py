"""The numbers that the emulator accepts. Times are in seconds."""

from __future__ import annotations

from dataclasses import dataclass

YEAR = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Bounds:
    """A range of numbers, both ends included; infinity and NaN are in none."""

    least: float
    most: float
    whole: bool = False

    def __contains__(self, value: object) -> bool:
        kinds = int if self.whole else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool) and self.least <= value <= self.most

    def __str__(self) -> str:
        return f"a {'whole ' if self.whole else ''}number from {self.least} to {self.most}"

    def check(self, name: str, value: object) -> None:
        """:raises ValueError: the value is out of bounds; the message starts with its name."""
        if value not in self:
            raise ValueError(f"{name} must be {self}.")


# A shorter hour would tick faster than exports can be written.
HOUR = Bounds(0.01, YEAR)
SPAN = Bounds(0, YEAR)
TOKEN = Bounds(1, YEAR)
# Source: Destinations API reference: a page holds 100 at most.
PAGE = Bounds(1, 100, whole=True)
PORT = Bounds(0, 65_535, whole=True)
# Later dates would exceed what calendars and folder names can hold.
AHEAD = Bounds(0, 100 * YEAR)
# Seconds since the epoch, up to the year 9999.
MOMENT = Bounds(0, 253_370_764_800)
CREATED = Bounds(0, 1000 * 253_370_764_800, whole=True)
ROWS = Bounds(0, 1_000_000, whole=True)

"""The check that the HTTP provider's event trigger is given; it imports this module anew for each look."""

from __future__ import annotations

from typing import Any


async def is_done(response: Any) -> bool:
    return bool(response.json()["done"])

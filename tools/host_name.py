"""What the name of a component's host is: components on one machine play hosts of their own."""

from __future__ import annotations

import os

VARIABLE = "AEP_TOOLS_HOST"


def host_name() -> str:
    """For ``[core] hostname_callable``."""
    return os.environ[VARIABLE]

"""The command line: ``aep plan exports/``, and in Airflow 3.2 and later ``airflow aep plan exports/``."""

from __future__ import annotations

from airflow_provider_aep.cli.program import get_cli_commands, main

__all__ = ["get_cli_commands", "main"]

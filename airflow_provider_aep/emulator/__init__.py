"""A local Adobe Experience Platform: enough of the Flow Service to develop, test and demonstrate against.

``Emulator`` is a plain object: ``handle(Request) -> Response``, no socket, no thread. ``server`` puts it
behind HTTP on this machine, and ``python -m airflow_provider_aep.emulator`` runs that.

Each rule says where it comes from. ``Source:`` names the Adobe document that states it; ``Assumed:``
marks what no document tells, and what the emulator does about it.
"""

from airflow_provider_aep.emulator.clock import Clock
from airflow_provider_aep.emulator.service import Emulator

__all__ = ["Clock", "Emulator"]

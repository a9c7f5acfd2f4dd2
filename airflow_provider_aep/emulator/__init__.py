"""A local Adobe Experience Platform: enough of the Flow Service to develop, test and demonstrate against.

``Emulator`` is a plain object: ``handle(Request) -> Response``, no socket, no thread. ``server`` puts it
behind HTTP on this machine, and ``python -m airflow_provider_aep.emulator`` runs that.

Each rule names its origin. ``Source:`` is the Adobe document that states it; ``Assumed:`` marks what no
document says, and what the emulator does there.
"""

from airflow_provider_aep.emulator.clock import Clock
from airflow_provider_aep.emulator.service import Emulator

__all__ = ["Clock", "Emulator"]

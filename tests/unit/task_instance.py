"""What the emulator offers to users' tests serves ours too."""

from airflow_provider_aep.emulator.task_instance import FakeTaskInstance, context_of

__all__ = ["FakeTaskInstance", "context_of"]

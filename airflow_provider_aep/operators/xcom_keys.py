"""The XCom keys of what later tasks, notifiers, the page and the next check read."""

from __future__ import annotations

# The verdict on the runs of an export, and the result of a check; a task that fails pushes them too.
VERDICT_KEY = "aep_verdict"
CHECK_KEY = "aep_check"
# The plans, and the outcomes of ensuring: always lists, and pushed by a task that fails too.
PLANS_KEY = "aep_plans"
EXPORTS_KEY = "aep_exports"
# The dataflow's page in the Platform UI.
LINK_KEY = "aep_dataflow_url"
# What a check hands over to the next; see ``monitoring.handover``. XComs of earlier DAG runs are found by
# their logical dates. The date of a manual DAG run lies between those of scheduled runs, not where its window
# ends, so scheduled runs have a key of their own. So do DAG runs without a logical date, as databases
# disagree on how to sort them among the dated ones.
HANDOVER_KEY = "aep_check_handover"
BY_HAND_HANDOVER_KEY = "aep_check_handover_by_hand"
UNDATED_HANDOVER_KEY = "aep_check_handover_undated"

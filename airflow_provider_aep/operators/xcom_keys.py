"""Under which keys tasks keep in XCom what others read: later tasks, notifiers, the page, the next check."""

from __future__ import annotations

# What became of the runs of an export, and what a check found: kept also by a task that fails.
VERDICT_KEY = "aep_verdict"
CHECK_KEY = "aep_check"
# The lists that planning and ensuring make of specs.
PLANS_KEY = "aep_plans"
EXPORTS_KEY = "aep_exports"
# The dataflow's page in the Platform UI.
LINK_KEY = "aep_dataflow_url"
# What a check hands over to the next; see ``monitoring.handover``. XComs of earlier DAG runs are found by
# their logical dates. That of a DAG run by hand lies between those of the timetable, and not where its
# window ends: so the timetable's own have a key to themselves. So have DAG runs without a logical date, as
# databases disagree on where these stand among the dated ones.
HANDOVER_KEY = "aep_check_handover"
BY_HAND_HANDOVER_KEY = "aep_check_handover_by_hand"
UNDATED_HANDOVER_KEY = "aep_check_handover_undated"

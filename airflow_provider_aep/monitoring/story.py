"""The story of one export: what came in, what went out, what was lost, when and why, and what to do now.

It is plain JSON in order of time, for the command line and the exports page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow_provider_aep.flowservice.ingestion import BatchStatus
from airflow_provider_aep.flowservice.schedule import schedule_words
from airflow_provider_aep.monitoring.findings import (
    Finding,
    of_dataflow,
    standing_of,
    unread,
    window_of,
)
from airflow_provider_aep.monitoring.policy import CONCERN, worst_choice
from airflow_provider_aep.monitoring.remedies import remedies
from airflow_provider_aep.monitoring.story_lanes import interleaved
from airflow_provider_aep.monitoring.story_parts import (
    Facts,
    exports_of,
    ingestion_of,
    latest_of,
    lost_of,
    sum_of,
)
from airflow_provider_aep.monitoring.timeline import Timeline

_NOT_SHOWN = "It was deleted, has expired, is in another sandbox, or is hidden by a label."
# How many batches are listed, the newest ones.
MOST_BATCHES = 1000
MOST_LOST_IDS = 50


def story_of(facts: Facts) -> dict[str, Any]:
    """The story as plain JSON, oldest first; moments are ISO 8601 in UTC.

    Its keys: ``dataflow``, ``sandbox``, ``window``, ``outcome`` (that of a check of the window), ``summary``
    (one sentence), ``totals``, ``ingestion`` (an entry for each batch), ``exports`` (an entry for each run,
    or tick without one), ``lost`` (ingested and not exported), ``lanes`` (ingestion and exports by time, with
    similar ones grouped), ``notes`` (what is not known) and ``actions`` (``why``, ``command``, and its
    ``kind``: ``shell`` or ``ask``).
    """
    flow, schedule = facts.flow, schedule_words(facts.flow.schedule)
    new, standing = _known(facts)
    lost = lost_of(facts)
    batches = ingestion_of(facts, {batch_id: loss for loss in lost for batch_id in loss["batch_ids"]})
    exports = exports_of(facts)
    for loss in lost:
        loss["batch_ids"] = loss["batch_ids"][:MOST_LOST_IDS]
    outcome = worst_choice(finding.outcome for finding in (*new, *standing))
    latest = latest_of(exports)
    return {
        "dataflow": {
            "id": flow.id,
            "name": flow.name,
            "state": flow.state,
            "destination": flow.destination,
            "every": schedule["every"],
            "ends_at": schedule["end"],
        },
        "sandbox": facts.sandbox,
        "window": {"since": facts.since.isoformat(), "until": facts.now.isoformat()},
        "outcome": outcome,
        "summary": _summary(facts, lost, latest, exports),
        "totals": _totals(batches, exports),
        "ingestion": batches[-MOST_BATCHES:],
        "exports": exports,
        "lost": lost,
        "lanes": interleaved(batches, exports),
        "notes": _notes(facts, len(batches)),
        "actions": [
            action._asdict()
            for action in remedies(
                flow,
                standing=_still_so(facts, [*standing, *new]),
                lost=[loss for loss in lost if not loss["later_run"]],
                latest=latest,
                names={dataset_id: facts.name_of(dataset_id) for dataset_id in facts.ingested},
                conn_id=facts.conn_id,
                sandbox=facts.sandbox,
            )
        ],
    }


def _known(facts: Facts) -> tuple[list[Finding], list[Finding]]:
    """The findings that became known in the window, and earlier ones that still hold."""
    if facts.timeline is None:
        bare = Timeline(flow=facts.flow, runs=(), now=facts.now, known_from=facts.now)
        return [*of_dataflow(bare, facts.policy), unread(facts.why, facts.policy)], []
    new, earlier = window_of(facts.findings, facts.since, facts.now + timedelta(microseconds=1))
    return new, standing_of(facts.timeline, earlier)


def _still_so(facts: Facts, findings: Sequence[Finding]) -> list[Finding]:
    if facts.timeline is None:
        return list(findings)
    return standing_of(facts.timeline, findings)


# In words


def _summary(
    facts: Facts,
    lost: Sequence[Mapping[str, Any]],
    latest: Sequence[Mapping[str, Any]],
    exports: Sequence[Mapping[str, Any]],
) -> str:
    name, days = facts.flow.name, _days(facts)
    if facts.timeline is None:
        return f"{name}: its runs could not be read: {facts.why}"
    open_ = [loss for loss in lost if not loss["later_run"]]
    times = f" {len(open_)} times in the last {days}" if len(open_) > 1 else ""
    losses = f"lost data{times}: {open_[-1]['told']}" if open_ else ""
    now = of_dataflow(facts.timeline, facts.policy)
    off = next((finding.told for finding in now if finding.kind in ("disabled", "ended")), "")
    if off:
        return f"{name}: {off}{f'; before that it {losses}' if losses else ''}."
    if losses:
        return f"{name} {losses}."
    if not latest:
        return f"{name}: no run and no tick that owed one is known of the last {days}."
    worst = max(latest, key=lambda export: CONCERN[export["outcome"] or "ok"])
    if worst["outcome"] in ("fail", "warn"):
        cause = f"; {worst['cause']['told']}" if worst["cause"] else ""
        words = "; ".join([worst["told"], *worst["also"]])
        return f"{name}: {words}{cause}".rstrip(".") + "."
    bad = sum(export["outcome"] in ("fail", "warn") for export in exports)
    if bad:
        return f"{name} is well now; {bad} of {len(exports)} runs and ticks of the last {days} were not."
    return f"{name} is well: nothing was lost or failed in the last {days}."


def _days(facts: Facts) -> str:
    days = round((facts.now - facts.since) / timedelta(days=1))
    return "day" if days == 1 else f"{days} days"


def _totals(
    batches: Sequence[Mapping[str, Any]], exports: Sequence[Mapping[str, Any]]
) -> dict[str, int | None]:
    """Counts of the window; a sum is ``None`` if one of its parts is unknown."""
    good = [batch for batch in batches if batch["status"] == BatchStatus.SUCCESS]
    runs = [export for export in exports if export["run_id"]]
    return {
        "batches": len(good),
        "batches_failed": sum(batch["status"] == BatchStatus.FAILED for batch in batches),
        "records_in": sum_of(batch["records"] for batch in good),
        "runs": len(runs),
        # A run that failed or is under way mostly has no count.
        "records_out": sum_of(
            run["records"] for run in runs if run["status"] not in ("failed", "running", "stuck")
        ),
        "bad": sum(export["outcome"] in ("fail", "warn") for export in exports),
    }


def _notes(facts: Facts, batches: int) -> list[str]:
    """Sentences about what is not known, and why."""
    notes = []
    if facts.timeline is not None and facts.timeline.known_from > facts.since:
        notes.append(f"Runs before {facts.timeline.known_from:%Y-%m-%d %H:%M} UTC are not listed.")
    if not facts.ingested:
        notes.append("What was ingested is not known: the datasets of the export could not be read.")
    if facts.unasked:
        notes.append(f"{facts.unasked} more datasets of the export were not looked at.")
    for ingested in facts.ingested.values():
        if ingested.why:
            notes.append(f"What was ingested into {ingested.name} is not known: {ingested.why}")
            continue
        if ingested.dataset is None and ingested.why_no_dataset:
            notes.append(f"Whether {ingested.name} is still there is not known: {ingested.why_no_dataset}")
        elif ingested.dataset is None:
            notes.append(f"The Catalog does not show dataset {ingested.dataset_id}. {_NOT_SHOWN}")
        elif ingested.dataset.is_snapshot:
            notes.append(f"{ingested.name} holds Profile Snapshots, which are not ingested.")
        if not ingested.is_complete:
            notes.append(
                f"{ingested.name} has more batches than were read: {len(ingested.batches):,} are looked at."
            )
    if batches > MOST_BATCHES:
        notes.append(f"Of {batches:,} batches the newest {MOST_BATCHES:,} are listed one by one.")
    return notes

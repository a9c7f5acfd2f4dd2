"""Judgements about the export that was made: what was sent, and what became of it.

Source: Destinations API reference; Flow Service error table; the guides about updating and deleting; read
2026-11.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airflow_provider_aep.errors import AepApiError, AepError
from airflow_provider_aep.flowservice.entities import mapping, sequence
from airflow_provider_aep.probe.patience import PATIENCE
from airflow_provider_aep.probe.sample import Sample
from airflow_provider_aep.probe.words import Seen, assumed, differs, fails, untold, word, words_of
from airflow_provider_aep.probe.written import CALLED, Made, Shown, Written

NOT_MADE = "an export that can be made (--write)"
AT_ONCE = 2.0
PATHS = ("path", "remotePath")
SCHEDULE_WORDS = ("exportMode", "timeUnit", "foldernameTemplate")
SCHEDULE_NUMBERS = ("interval", "startTime", "endTime")


def in_written(judge: Callable[[Written], Seen]) -> Callable[[Sample], Seen]:
    def judged(sample: Sample) -> Seen:
        return judge(sample.written) if sample.written else untold(NOT_MADE)

    return judged


def _all_made(written: Written) -> list[Made]:
    return [made for made in written.made.values() if made.id]


def judge_created(written: Written) -> Seen:
    """The answers to the POSTs."""
    for made in written.made.values():
        if made.refused and not made.id:
            return fails(f"a {CALLED[made.kind]} is {words_of(made.refused)}")
    for made in _all_made(written):
        what = f"a {CALLED[made.kind]} is answered with"
        if made.refused:
            return differs(f"{what} nothing that can be read, and exists")
        if not made.body.get("id"):
            return differs(f"{what} {made.status}, and no id at the place that is documented")
        if not made.body.get("etag"):
            return differs(f"{what} {made.status}, and no etag")
        if made.status != 201:
            return differs(f"{what} {made.status}")
    return assumed("201 with id and etag") if written.made else untold(NOT_MADE)


def judge_long_descriptions(written: Written) -> Seen:
    made = _all_made(written)
    if not made:
        return untold(NOT_MADE)
    return (
        differs("a long description is refused")
        if any(one.shorter for one in made)
        else assumed(f"{len(str(made[0].sent['description']))} characters are taken")
    )


def judge_referable(written: Written) -> Seen:
    waited = max((made.waited for made in _all_made(written)), default=None)
    if waited is None or "flows" not in written.made:
        return untold(NOT_MADE)
    return assumed("at once") if waited < AT_ONCE else differs(f"after {waited:.0f} s")


def judge_twin(written: Written) -> Seen:
    twin, first = written.twin, written.made.get("sourceConnections")
    if twin is None or first is None:
        return untold(NOT_MADE)
    if twin.refused and not twin.id:
        return differs(f"a second entity of the same name is {words_of(twin.refused)}")
    if twin.id == first.id:
        return differs("the second POST answers with the entity that is there")
    return assumed("a second entity of the same name is made")


def judge_uncompressed(written: Written) -> Seen:
    made = written.uncompressed
    if made is None:
        return untold(NOT_MADE)
    return assumed("taken") if made.id else differs(words_of(made.refused) if made.refused else "not made")


def judge_shown(place: str) -> Callable[[Written], Seen]:
    """After how long what was created can be read ``by_id``, ``listed`` or ``filtered``."""

    def judge(written: Written) -> Seen:
        made = _all_made(written)
        if not made:
            return untold(NOT_MADE)
        times = {one.kind: getattr(one.when, place) for one in made}
        if place == "filtered" and not all(one.when.filterable for one in made):
            return differs("the filter does not find what has long been there either")
        missing = [CALLED[kind] for kind, seconds in times.items() if seconds is None]
        if missing:
            return fails(f"not within {PATIENCE:.0f} s: {', '.join(missing)}")
        if place != "by_id" and not all(one.when.steady for one in made):
            return differs("shown by one listing, and not by the next one")
        slowest = max(times.values())
        return assumed("at once") if slowest < AT_ONCE else differs(f"after up to {slowest:.0f} s")

    return judge


def judge_state(written: Written) -> Seen:
    flow = written.made.get("flows")
    if flow is None or not flow.read:
        return untold(NOT_MADE)
    state = flow.read.get("state")
    return assumed("enabled") if state == "enabled" else differs(word(state))


def judge_text(key: str, *, listed: bool) -> Callable[[Written], Seen]:
    """Whether a name or description comes back as it was sent."""

    def judge(written: Written) -> Seen:
        told = "a listing" if listed else "a read by id"
        made = [one for one in _all_made(written) if (one.listed if listed else one.read)]
        if not made:
            return untold(NOT_MADE)
        for one in made:
            sent, shown = str(one.sent[key]), (one.listed if listed else one.read).get(key)
            if sent != shown:
                lost = fails if key == "description" and not one.read.get(key) else differs
                return lost(f"{told} of a {CALLED[one.kind]} shows {_how_changed(sent, shown)}")
        return assumed("as it was sent")

    return judge


def _how_changed(sent: str, shown: object) -> str:
    if not shown:
        return "none"
    text = str(shown)
    if text.casefold() == sent.casefold():
        return "another letter case"
    if " ".join(sent.split()) == text:
        return "other blanks"
    if sent.casefold().startswith(text.casefold()):
        return f"the first {len(text)} characters"
    return "another text"


def judge_path(written: Written) -> Seen:
    made = [one for one in (written.made.get("targetConnections"), written.slashed) if one and one.read]
    for one in made:
        for key in PATHS:
            sent, shown = one.sent["params"].get(key), mapping(one.read.get("params")).get(key)
            if sent == shown:
                continue
            if str(shown).strip("/") == str(sent).strip("/"):
                return differs("with another slash at its beginning or end")
            return differs("otherwise than it was sent")
    return (
        assumed("as it was sent, with and without slashes" if len(made) > 1 else "as it was sent")
        if made
        else untold(NOT_MADE)
    )


def judge_params(written: Written) -> Seen:
    made = [one for one in (written.made.get("targetConnections"), written.manifest) if one and one.read]
    seen = [_compared(one.sent["params"], mapping(one.read.get("params")), skip=PATHS) for one in made]
    other = [one for one in seen if one.level != "as assumed"]
    return next(iter(other or seen), untold(NOT_MADE))


def judge_schedule_words(written: Written) -> Seen:
    return _schedule(written, SCHEDULE_WORDS)


def judge_schedule_numbers(written: Written) -> Seen:
    return _schedule(written, SCHEDULE_NUMBERS)


def _schedule(written: Written, keys: Iterable[str]) -> Seen:
    made = written.made.get("flows")
    if made is None or not made.read:
        return untold(NOT_MADE)
    sent = made.sent["scheduleParams"]
    return _compared({key: sent[key] for key in keys}, mapping(made.read.get("scheduleParams")))


def _compared(sent: Mapping[str, Any], shown: Mapping[str, Any], *, skip: Iterable[str] = ()) -> Seen:
    for key, value in sent.items():
        if key in skip or shown.get(key) == value:
            continue
        there = shown.get(key)
        if there is None:
            return differs(f"{key} is not shown")
        if isinstance(there, str) and not isinstance(value, str):
            return differs(f"{key} comes back as a text")
        if str(there).casefold() == str(value).casefold():
            return differs(f"{key} comes back in another letter case")
        if there == value * 1000 if isinstance(value, int) else False:
            return differs(f"{key} comes back in milliseconds")
        return differs(f"{key} comes back with another value")
    return assumed("as they were sent")


def judge_additions(written: Written) -> Seen:
    for kind, key in (("targetConnections", "params"), ("flows", "scheduleParams")):
        made = written.made.get(kind)
        if made is None or not made.read:
            continue
        added = set(mapping(made.read.get(key))) - set(made.sent[key])
        if added:
            return differs(f"{len(added)} in {key}: {', '.join(sorted(map(word, added)))}")
    return assumed("none") if _all_made(written) else untold(NOT_MADE)


def judge_datasets(written: Written) -> Seen:
    made = written.made.get("sourceConnections")
    if made is None or not made.read:
        return untold(NOT_MADE)
    sent, shown = (
        [dict(each) for each in sequence(mapping(one.get("params")).get("datasets"))]
        for one in (made.sent, made.read)
    )
    return assumed("as they were sent") if sent == shown else differs("with other members than were sent")


def judge_found_by(what: str) -> Callable[[Written], Seen]:
    def judge(written: Written) -> Seen:
        found = written.found_by.get(what)
        if found is None:
            return untold(NOT_MADE)
        if isinstance(found, AepError):
            return differs(words_of(found))
        return (
            assumed("it finds what has just been made")
            if found
            else differs("it does not find what has just been made")
        )

    return judge


def judge_clock(written: Written) -> Seen:
    ahead = written.clock_ahead
    if ahead is None:
        return untold("an entity that was just made, with a createdAt")
    return (
        assumed("less than two minutes apart")
        if abs(ahead) < 120
        else differs(f"{abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}")
    )


def judge_match(written: Written) -> Seen:
    """What ``If-Match`` takes, and whether a stale one is refused."""
    change = written.change
    if change is None:
        return untold(NOT_MADE)
    if change.needed_quotes and not change.refused:
        return fails("etags are shown without quotes, and compared with them")
    if change.refused:
        stale = isinstance(change.refused, AepApiError) and change.refused.status == 412
        return (
            fails("the etag that was read is refused with 412") if stale else untold("a PATCH that is taken")
        )
    if change.stale_taken:
        return fails("a stale etag is taken as well")
    status = change.stale.status if isinstance(change.stale, AepApiError) else None
    return (
        assumed("the etag that was read is taken, a stale one refused with 412")
        if status == 412
        else differs(f"a stale one is {words_of(change.stale) if change.stale else 'taken'}")
    )


def judge_changed(written: Written) -> Seen:
    change = written.change
    if change is None:
        return untold(NOT_MADE)
    if change.refused:
        return fails(words_of(change.refused))
    if change.waited >= AT_ONCE:
        return differs(f"taken after {change.waited:.0f} s")
    if not change.body.get("id") or not change.body.get("etag"):
        return differs(f"{change.status}, without id and etag")
    return assumed("200 with id and etag") if change.status == 200 else differs(f"{change.status}")


def judge_change_shown(*, listed: bool) -> Callable[[Written], Seen]:
    def judge(written: Written) -> Seen:
        change = written.change
        if change is None or change.refused:
            return untold("a PATCH that is taken")
        return _told_time(change.when, listed=listed)

    return judge


def _told_time(when: Shown, *, listed: bool) -> Seen:
    seconds = when.listed if listed else when.by_id
    if seconds is None:
        return fails(f"not within {PATIENCE:.0f} s")
    return assumed("at once") if seconds < AT_ONCE else differs(f"after {seconds:.0f} s")


def judge_etag_moved(written: Written) -> Seen:
    change = written.change
    if change is None or change.refused:
        return untold("a PATCH that is taken")
    return assumed("another one") if change.etag_after != change.etag else differs("the same one")


def judge_switching(written: Written) -> Seen:
    if not written.actions:
        return untold(NOT_MADE)
    first = written.actions[0]
    if isinstance(first, AepError) and str(written.states[0]).lower() == "disabled":
        return untold("a dataflow that starts enabled")
    if isinstance(first, AepError):
        return fails(f"disabling is {words_of(first)}")
    if str(written.states[1]).lower() != "disabled":
        return differs(f"the state is then {word(written.states[1])}")
    return (
        assumed("200, and the state is disabled")
        if first == 200
        else differs(f"{first}, and the state is disabled")
    )


def judge_switching_twice(written: Written) -> Seen:
    if len(written.actions) < 2:
        return untold(NOT_MADE)
    second = written.actions[1]
    if isinstance(second, AepError):
        refused = isinstance(second, AepApiError) and str(second.code).startswith("FLOW-1422")
        return assumed("refused with 1422") if refused else differs(words_of(second))
    return differs(f"answered with {second}")


def judge_deleted(written: Written) -> Seen:
    if not written.removals:
        return untold(NOT_MADE)
    for kind, removal in written.removals.items():
        if removal.wanted_disabled:
            return fails(f"a {CALLED[kind]} must be disabled first")
        if removal.refused:
            return fails(f"of a {CALLED[kind]} {words_of(removal.refused)}")
    statuses = {
        removal.status
        for kind, removal in written.removals.items()
        if not (written.took_along and kind != "flows")
    }
    return (
        assumed("202")
        if statuses == {202}
        else differs(f"{', '.join(map(str, sorted(map(int, filter(None, statuses)))))}")
    )


def judge_deleted_twice(written: Written) -> Seen:
    again = {removal.again for removal in written.removals.values()}
    if not again:
        return untold(NOT_MADE)
    return (
        assumed("404") if again == {404} else differs(", ".join(str(one) for one in sorted(map(str, again))))
    )


def judge_gone(*, listed: bool) -> Callable[[Written], Seen]:
    def judge(written: Written) -> Seen:
        done = [one for one in written.removals.values() if not one.refused]
        if not done:
            return untold(NOT_MADE)
        times = [one.when.listed if listed else one.when.by_id for one in done]
        if None in times:
            return fails(f"not within {PATIENCE:.0f} s")
        slowest = max(each for each in times if each is not None)
        return assumed("at once") if slowest < AT_ONCE else differs(f"after up to {slowest:.0f} s")

    return judge


def judge_taken_along(written: Written) -> Seen:
    if written.took_along is None:
        return untold(NOT_MADE)
    return (
        differs("its target connection is gone with it")
        if written.took_along
        else assumed("its connections stay")
    )

"""Judgements about the export that was made: what was sent, and what became of it.

Source: Destinations API reference; Flow Service error table; the guides about updating and deleting; read
2026-11.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Any

from airflow_provider_aep.errors import AepApiError, AepError
from airflow_provider_aep.flowservice.entities import mapping
from airflow_provider_aep.flowservice.habits import PATIENCE
from airflow_provider_aep.flowservice.spelling import same_text, same_value
from airflow_provider_aep.probe import patience
from airflow_provider_aep.probe.sample import Sample, datasets_of
from airflow_provider_aep.probe.words import Seen, assumed, differs, either, fails, untold, word, words_of
from airflow_provider_aep.probe.written import CALLED, Change, Made, Written
from airflow_provider_aep.times import span_words

# ``None``: it was not made, so nothing can be told.
Judge = Callable[[Written], Seen | None]

AT_ONCE = 2.0
# For so long the client looks for what it has written itself, before it ends with an error.
LOOKS_FOR = sum(PATIENCE)
PATHS = ("path", "remotePath")
SCHEDULE_WORDS = ("exportMode", "timeUnit", "foldernameTemplate")
SCHEDULE_NUMBERS = ("interval", "startTime", "endTime")


def in_written(judge: Judge) -> Callable[[Sample], Seen]:
    def judged(sample: Sample) -> Seen:
        seen = judge(sample.written) if sample.written else None
        return seen or untold("an export that can be made (--write)")

    return judged


def _all_made(written: Written) -> list[Made]:
    return [made for made in written.made.values() if made.id]


def _read(*made: Made | None) -> list[Made]:
    return [one for one in made if one and one.read]


def _after(seconds: Iterable[float | None], *, most: float = LOOKS_FOR) -> Seen | None:
    """How soon something showed.

    :param most: what shows later ends in an error.
    """
    times = [inf if each is None else each for each in seconds]
    slowest = max(times, default=0.0)
    if slowest < AT_ONCE:
        return assumed("at once") if times else None
    told = (
        f"after up to {span_words(slowest)}"
        if slowest < inf
        else f"not within {span_words(patience.PATIENCE)}"
    )
    return differs(told) if slowest <= most else fails(told)


def judge_created(written: Written) -> Seen | None:
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
    return assumed("201 with id and etag") if written.made else None


def judge_long_descriptions(written: Written) -> Seen | None:
    made = _all_made(written)
    if any(one.shorter for one in made):
        return fails("a long description is refused")
    return assumed(f"{len(str(made[0].sent['description']))} characters are taken") if made else None


def judge_referable(written: Written) -> Seen | None:
    return (
        _after([one.waited for one in _all_made(written)], most=AT_ONCE) if "flows" in written.made else None
    )


def judge_twin(written: Written) -> Seen | None:
    twin, first = written.twin, written.made.get("sourceConnections")
    if twin is None or first is None:
        return None
    if twin.refused and not twin.id:
        return fails(f"a second entity of the same name is {words_of(twin.refused)}")
    found = "the second POST answers with the entity that is there"
    return either(twin.id != first.id, "a second entity of the same name is made", found)


def judge_uncompressed(written: Written) -> Seen | None:
    made = written.uncompressed
    if made is None:
        return None
    return fails(words_of(made.refused)) if made.refused and not made.id else assumed("taken")


def judge_shown(place: str) -> Judge:
    """After how long what was created can be read ``by_id``, ``listed`` or ``filtered``."""

    def judge(written: Written) -> Seen | None:
        made = _all_made(written)
        if place == "by_id":
            return _after([one.when.by_id for one in made], most=AT_ONCE)
        if place == "filtered" and not all(one.when.filterable for one in made):
            return differs("the filter does not find what has long been there either")
        seen = _after([getattr(one.when, place) for one in made])
        if seen and seen.level != "error" and not all(one.when.steady for one in made):
            return differs("shown by one listing, and not by the next one")
        return seen

    return judge


def judge_state(written: Written) -> Seen | None:
    flow = written.made.get("flows")
    if flow is None or not flow.read:
        return None
    state = flow.read.get("state")
    if state not in ("enabled", "disabled"):
        return fails(word(state))
    return either(state == "enabled", "enabled", "disabled")


def judge_text(key: str, *, listed: bool) -> Judge:
    """Whether a name or description comes back as it was sent."""

    def judge(written: Written) -> Seen | None:
        made = [(one, one.listed if listed else one.read) for one in _all_made(written)]
        for one, document in made:
            sent, shown = str(one.sent[key]), document.get(key)
            if document and sent != shown:
                told = (
                    f"a listing of a {CALLED[one.kind]}"
                    if listed
                    else f"a read by id of a {CALLED[one.kind]}"
                )
                # Where a listing shows none, a read by id may; nothing else makes up for a mark that is lost.
                lost = key == "description" and not same_text(sent, shown) and not (listed and not shown)
                return (fails if lost else differs)(f"{told} shows {_how_changed(sent, shown)}")
        return assumed("as it was sent") if any(document for _, document in made) else None

    return judge


def _how_changed(sent: str, shown: object) -> str:
    if not shown:
        return "none"
    text = str(shown)
    if same_text(text, sent):
        return "another letter case" if text.casefold() == sent.casefold() else "other blanks"
    if sent.casefold().startswith(text.casefold()):
        return f"the first {len(text)} characters"
    return "another text"


def judge_path(written: Written) -> Seen | None:
    made = _read(written.made.get("targetConnections"), written.slashed)
    for one in made:
        for key in PATHS:
            sent, shown = one.sent["params"].get(key), mapping(one.read.get("params")).get(key)
            if sent != shown:
                slashes = str(shown).strip("/") == str(sent).strip("/")
                return differs(
                    "with another slash at its beginning or end" if slashes else "otherwise than it was sent"
                )
    both = ", with and without slashes" if len(made) > 1 else ""
    return assumed(f"as it was sent{both}") if made else None


def judge_params(written: Written) -> Seen | None:
    made = _read(written.made.get("targetConnections"), written.manifest)
    seen = [_compared(one.sent["params"], mapping(one.read.get("params")), skip=PATHS) for one in made]
    return next((one for one in seen if one.level != "as assumed"), seen[0] if seen else None)


def judge_schedule(*keys: str) -> Judge:
    def judge(written: Written) -> Seen | None:
        for made in _read(written.made.get("flows")):
            sent = made.sent["scheduleParams"]
            return _compared({key: sent[key] for key in keys}, mapping(made.read.get("scheduleParams")))
        return None

    return judge


def _compared(sent: Mapping[str, Any], shown: Mapping[str, Any], *, skip: Iterable[str] = ()) -> Seen:
    for key, value in sent.items():
        there = shown.get(key)
        if key in skip or there == value:
            continue
        if there is None:
            return differs(f"{key} is not shown")
        if same_value(value, there, key=key):
            return differs(f"{key} comes back as another value that means the same")
        return differs(f"{key} comes back as another value")
    return assumed("as they were sent")


def judge_additions(written: Written) -> Seen | None:
    for kind, key in (("targetConnections", "params"), ("flows", "scheduleParams")):
        for made in _read(written.made.get(kind)):
            if added := set(mapping(made.read.get(key))) - set(made.sent[key]):
                return differs(f"{len(added)} in {key}: {', '.join(sorted(map(word, added)))}")
    return assumed("none") if _all_made(written) else None


def judge_datasets(written: Written) -> Seen | None:
    for made in _read(written.made.get("sourceConnections")):
        same = datasets_of(made.sent) == datasets_of(made.read)
        return either(same, "as they were sent", "with other members than were sent")
    return None


def judge_found_by(what: str) -> Judge:
    def judge(written: Written) -> Seen | None:
        found = written.found_by.get(what)
        if found is None or isinstance(found, AepError):
            return differs(words_of(found)) if found else None
        return either(found, "it finds what has just been made", "it does not find what has just been made")

    return judge


def judge_clock(written: Written) -> Seen | None:
    ahead = written.clock_ahead
    if ahead is None:
        return None
    apart = f"{span_words(abs(ahead))} {'ahead' if ahead > 0 else 'behind'}"
    return either(abs(ahead) < 120, "less than two minutes apart", apart)


def judge_match(written: Written) -> Seen | None:
    """What ``If-Match`` takes, and whether a stale one is refused."""
    change = written.change
    if change is None:
        return None
    if change.needed_quotes and not change.refused:
        return fails("etags are shown without quotes, and compared with them")
    if change.refused:
        stale = isinstance(change.refused, AepApiError) and change.refused.status == 412
        return fails("the etag that was read is refused with 412") if stale else untold(PATCHED)
    if change.stale is None:
        return fails("a stale etag is taken as well")
    stale = isinstance(change.stale, AepApiError) and change.stale.status == 412
    other = f"a stale one is {words_of(change.stale)}"
    return assumed("the etag that was read is taken, a stale one refused with 412") if stale else fails(other)


def judge_changed(written: Written) -> Seen | None:
    change = written.change
    if change is None:
        return None
    if change.refused:
        return fails(words_of(change.refused))
    if change.waited >= AT_ONCE:
        return differs(f"taken after {span_words(change.waited)}")
    if not change.body.get("id") or not change.body.get("etag"):
        return differs(f"{change.status}, without id and etag")
    return either(change.status == 200, "200 with id and etag", f"{change.status}")


PATCHED = "a PATCH that is taken"


def in_change(judge: Callable[[Change], Seen | None]) -> Judge:
    """A judgement about a change that the service took."""

    def judged(written: Written) -> Seen | None:
        if written.change is None or written.change.refused:
            return untold(PATCHED)
        return judge(written.change)

    return judged


def judge_change_shown(place: str) -> Judge:
    """After how long a change shows, ``by_id`` or ``listed``."""
    most = inf if place == "listed" else LOOKS_FOR
    return in_change(lambda change: _after([getattr(change.when, place)], most=most))


def judge_etag_moved(change: Change) -> Seen:
    return either(change.etag_after != change.etag, "another one", "the same one")


def judge_switching(written: Written) -> Seen | None:
    if not written.actions:
        return None
    first, before, after = written.actions[0], *(str(state).lower() for state in written.states[:2])
    if isinstance(first, AepError):
        off = before == "disabled"
        return untold("a dataflow that starts enabled") if off else fails(f"disabling is {words_of(first)}")
    if after != "disabled":
        return differs(f"the state is then {word(written.states[1])}")
    if written.in_capitals:
        return differs("only the words in upper case are taken")
    return either(first == 200, "200, and the state is disabled", f"{first}, and the state is disabled")


def judge_switching_twice(written: Written) -> Seen | None:
    if len(written.actions) < 2:
        return None
    second = written.actions[1]
    if not isinstance(second, AepError):
        return differs(f"answered with {second}")
    refused = isinstance(second, AepApiError) and str(second.code).startswith("FLOW-1422")
    return either(refused, "refused with 1422", words_of(second))


def judge_deleted(written: Written) -> Seen | None:
    for kind, removal in written.removals.items():
        if removal.wanted_disabled:
            return fails(f"a {CALLED[kind]} must be disabled first")
        if removal.refused:
            return fails(f"of a {CALLED[kind]} {words_of(removal.refused)}")
    told = {
        str(removal.status)
        for kind, removal in written.removals.items()
        if kind == "flows" or not written.took_along
    }
    return either(told == {"202"}, "202", ", ".join(sorted(told))) if told else None


def judge_deleted_twice(written: Written) -> Seen | None:
    again = {str(removal.again) for removal in written.removals.values()}
    return either(again == {"404"}, "404", ", ".join(sorted(again))) if again else None


def judge_gone(place: str) -> Judge:
    """After how long what was deleted was gone, ``by_id`` or ``listed``."""

    def judge(written: Written) -> Seen | None:
        return _after(getattr(one.when, place) for one in written.removals.values() if not one.refused)

    return judge


def judge_taken_along(written: Written) -> Seen | None:
    if written.took_along is None:
        return None
    gone = "its target connection is gone with it"
    return either(not written.took_along, "its connections stay", gone)

"""Judgements about the probe's export: what was sent, and what the service shows.

Source: Destinations API reference; Flow Service error table; read 2026-11.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Any

from airflow_provider_aep.errors import AepError
from airflow_provider_aep.flowservice.documents import mapping
from airflow_provider_aep.flowservice.habits import PATIENCE
from airflow_provider_aep.flowservice.spelling import same_text, same_value
from airflow_provider_aep.probe import patience
from airflow_provider_aep.probe.sample import Sample, datasets_of
from airflow_provider_aep.probe.words import Seen, assumed, differs, either, fails, untold, word, words_of
from airflow_provider_aep.probe.written import CALLED, Made, Written
from airflow_provider_aep.times import span_words

# ``None``: the entity was not created, so there is nothing to judge.
Judge = Callable[[Written], Seen | None]

AT_ONCE = 2.0
# How long the client looks for its own writes before it ends with an error.
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
    return [entity for entity in made if entity and entity.read]


def shown_after(seconds: Iterable[float | None], *, most: float = LOOKS_FOR) -> Seen | None:
    """How soon something showed.

    :param most: in seconds; later than this is an error.
    """
    times = [inf if moment is None else moment for moment in seconds]
    slowest = max(times, default=0.0)
    if slowest < AT_ONCE:
        return assumed("at once") if times else None
    delay = (
        f"after up to {span_words(slowest)}"
        if slowest < inf
        else f"not within {span_words(patience.PATIENCE)}"
    )
    return differs(delay) if slowest <= most else fails(delay)


def judge_created(written: Written) -> Seen | None:
    """The responses to the POSTs."""
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
    if any(entity.shorter for entity in made):
        return fails("a long description is refused")
    return assumed(f"{len(str(made[0].sent['description']))} characters are taken") if made else None


def judge_referable(written: Written) -> Seen | None:
    return (
        shown_after([entity.waited for entity in _all_made(written)], most=AT_ONCE)
        if "flows" in written.made
        else None
    )


def judge_twin(written: Written) -> Seen | None:
    twin, first = written.twin, written.made.get("sourceConnections")
    if twin is None or first is None:
        return None
    if twin.refused and not twin.id:
        return fails(f"a second entity of the same name is {words_of(twin.refused)}")
    same_entity = "the second POST answers with the entity that is there"
    return either(twin.id != first.id, "a second entity of the same name is made", same_entity)


def judge_uncompressed(written: Written) -> Seen | None:
    made = written.uncompressed
    if made is None:
        return None
    return fails(words_of(made.refused)) if made.refused and not made.id else assumed("taken")


def judge_shown(place: str) -> Judge:
    """How soon a new entity is shown ``by_id``, ``listed`` or ``filtered``."""

    def judge(written: Written) -> Seen | None:
        made = _all_made(written)
        if place == "by_id":
            return shown_after([entity.when.by_id for entity in made], most=AT_ONCE)
        if place == "filtered" and not all(entity.when.filterable for entity in made):
            return differs("the filter does not find what has long been there either")
        seen = shown_after([getattr(entity.when, place) for entity in made])
        if seen and seen.level != "error" and not all(entity.when.steady for entity in made):
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
        made = [(entity, entity.listed if listed else entity.read) for entity in _all_made(written)]
        for entity, document in made:
            sent, shown = str(entity.sent[key]), document.get(key)
            if document and sent != shown:
                place = (
                    f"a listing of a {CALLED[entity.kind]}"
                    if listed
                    else f"a read by id of a {CALLED[entity.kind]}"
                )
                # A listing without descriptions is harmless, as a read by id may show them; any other lost
                # mark is not.
                lost = key == "description" and not same_text(sent, shown) and not (listed and not shown)
                return (fails if lost else differs)(f"{place} shows {_how_changed(sent, shown)}")
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
    for entity in made:
        for key in PATHS:
            sent, shown = entity.sent["params"].get(key), mapping(entity.read.get("params")).get(key)
            if sent != shown:
                slashes = str(shown).strip("/") == str(sent).strip("/")
                return differs(
                    "with another slash at its beginning or end" if slashes else "otherwise than it was sent"
                )
    both = ", with and without slashes" if len(made) > 1 else ""
    return assumed(f"as it was sent{both}") if made else None


def judge_params(written: Written) -> Seen | None:
    made = _read(written.made.get("targetConnections"), written.manifest)
    seen = [
        _compared(entity.sent["params"], mapping(entity.read.get("params")), skip=PATHS) for entity in made
    ]
    return next((result for result in seen if result.level != "as assumed"), seen[0] if seen else None)


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
        shown = written.found_by.get(what)
        if shown is None or isinstance(shown, AepError):
            return differs(words_of(shown)) if shown else None
        return either(shown, "it finds what has just been made", "it does not find what has just been made")

    return judge


def judge_clock(written: Written) -> Seen | None:
    ahead = written.clock_ahead
    if ahead is None:
        return None
    apart = f"{span_words(abs(ahead))} {'ahead' if ahead > 0 else 'behind'}"
    return either(abs(ahead) < 120, "less than two minutes apart", apart)

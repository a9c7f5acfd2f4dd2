"""Who owns an entity: a mark in its description, which people and this provider can read.

The mark names the owner and holds three digests: of owner and name (so that a rename is recognized), of what
the spec last asked for, and of the Airflow connection that the login came from. The second distinguishes a
changed spec from an entity that somebody else changed. No digest is made of a secret.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_aep.flowservice.creation import without_task_marker

# Only blanks and hyphens: commas and comparisons have a meaning in the service's filters. In any letter case,
# because a service may change it.
_MARK = re.compile(
    r"aep-export of ([a-z0-9_.@-]{1,64}) ([0-9a-f]{16})-([0-9a-f]{12})-([0-9a-f]{6})(?:-([0-9a-f]{6}))?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The mark of one entity.

    :param export: which export it belongs to; the same for all of its entities.
    :param content: what the spec last wanted of it; on the dataflow, of the whole export.
    :param login: where the last sent login came from.
    :param told: the service's own spelling of what was sent, if it differs; see ``spelling``.
    """

    owner: str = field(compare=False)  # a part of ``export``, and its letter case may not survive
    export: str
    content: str
    login: str
    told: str = field(default="", compare=False)

    def __str__(self) -> str:
        digests = "-".join(filter(None, (self.export, self.content, self.login, self.told)))
        return f"aep-export of {self.owner} {digests}"


def make_mark(*, owner: str, name: str, content: object, login: object) -> Mark:
    """The mark of an entity of the export that ``owner`` calls ``name``.

    :param content: plain JSON that says what is wanted of the entity.
    :param login: plain JSON that says where the login comes from, without the login itself.
    """
    return Mark(
        owner=owner,
        export=export_key(owner, name),
        content=_digest(content)[:12],
        login=_digest(login)[:6],
    )


def export_key(owner: str, name: str) -> str:
    """The part that the marks of all entities of an export have in common."""
    return _digest([owner, name])[:16]


def read_mark(entity: Mapping[str, Any]) -> Mark | None:
    """The mark in an entity's description, or ``None`` if it is not ours."""
    marks = _MARK.findall(str(entity.get("description") or ""))
    if not marks:
        return None
    owner, *digests = marks[-1]  # ours is the last: the text before it is free
    export, content, login, told = map(str.lower, digests)
    return Mark(owner=owner, export=export, content=content, login=login, told=told)


def described(text: str | None, mark: Mark) -> str:
    """A description with a mark, in the form that ``create_entity`` writes."""
    return f"{text} ({mark})" if text else str(mark)


def text_of(entity: Mapping[str, Any]) -> str:
    """An entity's description without the marks of its export and of a task that created it."""
    description = without_task_marker(str(entity.get("description") or ""))
    mark = read_mark(entity)
    if mark is None:
        return description.strip()
    # All of them: if somebody wrote text after one, the next mark would follow that text.
    own = re.compile(
        rf"\(?aep-export of \S+ {mark.export}-[0-9a-f]{{12}}-[0-9a-f]{{6}}(?:-[0-9a-f]{{6}})?\)?",
        re.IGNORECASE,
    )
    # The blanks before a mark go too, but not by the pattern, which would take quadratic time on them.
    *before, rest = own.split(description)
    return "".join([*map(str.rstrip, before), rest]).strip()


def digest_of(content: object) -> str:
    """A short digest of plain JSON."""
    return _digest(content)[:6]


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

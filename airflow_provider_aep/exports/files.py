"""Export specs from files: YAML or JSON, one file or a folder of them.

A file may come from anybody who can write to a repository, and may hold a secret by mistake. So aliases and
tags are refused, sizes are bounded, and messages name file, line and rule, never the content.

Scalars follow YAML 1.2 where it matters: ``yes``, ``no``, ``on``, times and numbers such as ``0755`` or
``12:30`` are texts. A time stays as it was typed; the check of the spec reads it.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from airflow_provider_aep.errors import AepConfigError, AepValidationError, Problem
from airflow_provider_aep.exports.plain import templates_in
from airflow_provider_aep.exports.spec import parse_specs

__all__ = ["load_specs"]

SUFFIXES = (".yaml", ".yml", ".json")
LARGEST_FILE = 1024 * 1024  # bytes
DEEPEST = 20
MOST_SPECS = 1000  # in one file; the schema's number too

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUTH = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,30})")
# The dot is required: an id such as 12345678e1234567 is no number.
_FLOAT = re.compile(r"[-+]?[0-9]{1,30}\.[0-9]{0,30}([eE][-+]?[0-9]{1,3})?")


def load_specs(
    path: str | Path, *, within: Path | None = None, beside: Path | None = None
) -> list[dict[str, Any]]:
    """The checked documents of one file, or of every YAML and JSON file below a folder.

    A folder is read in the order of its files' names; hidden files, other files and symbolic links to folders
    are skipped.

    :param within: nothing outside this folder is read, wherever ``..`` or a symbolic link leads.
    :param beside: where a relative path starts; by default the working directory.
    :raises AepConfigError: the path is missing, unreadable, outside, or no such file.
    :raises AepValidationError: with all problems of all files at once.
    """
    files = _files(path, within, beside)
    return _checked([(shown, partial(_documents_of, shown, file, path)) for shown, file in files])


def read_specs(content: bytes, *, place: str) -> list[dict[str, Any]]:
    """The checked documents of a text from elsewhere than a file, such as standard input: YAML or JSON.

    :param place: what messages call it.
    :raises AepValidationError: with all problems at once.
    """
    return _checked([(place, partial(_read, place, content, _is_json(content)))])


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return False
    return content.lstrip()[:1] in (b"{", b"[")


def _checked(sources: Sequence[tuple[str, Callable[[], list[Any]]]]) -> list[dict[str, Any]]:
    """The specs of several sources, checked one by one and together; each source has a name."""
    problems: list[Problem] = []
    documents: list[tuple[str, dict[str, Any]]] = []
    for shown, read in sources:
        try:
            documents += _specs_of(shown, read())
        except AepValidationError as error:
            problems += error.problems
    problems += [
        Problem(f"{place}{where}", "holds a template, but specs in a file are not rendered")
        for place, document in documents
        for where in templates_in(document)
    ]
    try:
        parse_specs([document for _, document in documents], places=[place for place, _ in documents])
    except AepValidationError as error:
        if not problems:
            raise
        problems += error.problems
    if problems:
        raise AepValidationError("the export specs", problems)
    return [document for _, document in documents]


def _files(given: str | Path, within: Path | None, beside: Path | None) -> list[tuple[str, Path]]:
    """Every file to read, with its name in messages."""
    if not str(given).strip():
        raise AepConfigError("the path of the export specs must name a file or a folder")
    try:
        target = Path(beside or Path.cwd(), given).resolve()
        root = within.resolve() if within else None
        _check_inside(target, root, given)
        mode = target.stat().st_mode
        if stat.S_ISDIR(mode):
            files = [(file.relative_to(target).as_posix(), file.resolve()) for file in _below(target)]
        else:
            files = [(target.name, target)]
        for _, file in files:
            _check_inside(file, root, given)
    # a path with NUL is a ValueError, a circle of links a RuntimeError before Python 3.13
    except (OSError, ValueError, RuntimeError) as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else "cannot be read"
        raise AepConfigError(f"export specs {_shown(given)}: {reason}") from None
    if stat.S_ISDIR(mode) and not files:
        raise AepConfigError(f"export specs {_shown(given)}: the folder has no {', '.join(SUFFIXES)} file")
    if not stat.S_ISDIR(mode) and target.suffix.lower() not in SUFFIXES:
        raise AepConfigError(f"export specs {_shown(given)}: the name must end in {', '.join(SUFFIXES)}")
    return [(_shown(name), file) for name, file in files]


def _check_inside(file: Path, root: Path | None, given: str | Path) -> None:
    if root and not file.is_relative_to(root):
        raise AepConfigError(
            f"export specs {_shown(given)}: leads outside the folder that specs are read from, "
            "by '..', an absolute path or a symbolic link"
        )


def _below(folder: Path) -> list[Path]:
    def fail(error: OSError) -> None:
        raise error

    files = []
    for parent, folders, names in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [Path(parent, name) for name in names if not name.startswith(".")]
    return sorted(file for file in files if file.suffix.lower() in SUFFIXES)


def _documents_of(shown: str, file: Path, given: str | Path) -> list[Any]:
    try:
        # checked first: opening a pipe would wait for its writer
        if not stat.S_ISREG(file.stat().st_mode):
            raise AepConfigError(f"export specs {_shown(given)}: {shown} is no ordinary file")
        with file.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except OSError:
        raise AepConfigError(f"export specs {_shown(given)}: {shown} cannot be read") from None
    return _read(shown, content, file.suffix.lower() == ".json")


def _read(shown: str, content: bytes, as_json: bool) -> list[Any]:
    if len(content) > LARGEST_FILE:
        raise _refused(shown, "is larger than 1 MiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _refused(shown, f"line {line} is no UTF-8 text") from None
    return _read_json(shown, text) if as_json else _read_yaml(shown, text)


def _specs_of(shown: str, documents: Iterable[Any]) -> list[tuple[str, dict[str, Any]]]:
    """The specs of a file's documents, each with its place."""
    specs: list[Any] = []
    for document in documents:
        if not (isinstance(document, dict) and "exports" in document):
            specs += [document] if document is not None else []
            continue
        if others := len(document) - 1:
            raise _refused(
                shown, f"has {others} more key{'s' * (others > 1)} beside exports, which must be the only one"
            )
        if not isinstance(document["exports"], list):
            raise _refused(f"{shown}/exports", "must be a list of specs")
        specs += document["exports"]
    if not specs:
        raise _refused(shown, "holds no export spec")
    if len(specs) > MOST_SPECS:
        raise _refused(shown, f"holds more than {MOST_SPECS} export specs")
    if len(specs) == 1:
        return [(shown, specs[0])]
    return [(f"{shown}[{index}]", spec) for index, spec in enumerate(specs)]


def _read_json(shown: str, text: str) -> list[Any]:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(items)) < len(items):
            raise _refused(shown, "has an object with the same key twice")
        return dict(items)

    def constant(_: str) -> Any:
        raise _refused(shown, "has NaN or Infinity, which are no numbers in JSON")

    try:
        document = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as error:
        raise _refused(shown, f"line {error.lineno}, column {error.colno}: is no JSON") from None
    except RecursionError:
        raise _refused(shown, f"is nested more than {DEEPEST} levels deep") from None
    except ValueError:
        raise _refused(shown, "has a number that is too long") from None
    return [document]


def _read_yaml(shown: str, text: str) -> list[Any]:
    # libyaml's parser if it is installed: the other one takes seconds for the largest file
    events = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    try:
        return list(_Reader(shown).documents(events))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        # The library puts quoted content in quotes; its other messages are fixed.
        reason = error.problem if error.problem and not re.search(r"['\"]", error.problem) else ""
        raise _refused(shown, f"{where}is no YAML{f': {reason}' if reason else ''}") from None
    except yaml.YAMLError:
        raise _refused(shown, "is no YAML: it has characters that YAML does not allow") from None


class _Reader:
    """Plain values from the events of a YAML text; refuses aliases, anchors and tags."""

    def __init__(self, shown: str) -> None:
        self.shown = shown

    def documents(self, events: Iterator[Any]) -> Iterator[Any]:
        for event in events:
            if not isinstance(
                event,
                yaml.StreamStartEvent | yaml.StreamEndEvent | yaml.DocumentStartEvent | yaml.DocumentEndEvent,
            ):
                yield self.value(event, events, 0)

    def value(self, event: Any, events: Iterator[Any], depth: int) -> Any:
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise self.refused(event, "aliases and anchors are not allowed: they can explode")
        if event.tag is not None:
            raise self.refused(event, "tags are not allowed: a spec has only plain values")
        if isinstance(event, yaml.ScalarEvent):
            return _plain_scalar(event.value) if event.implicit[0] else event.value
        if depth >= DEEPEST:
            raise self.refused(event, f"is nested more than {DEEPEST} levels deep")
        if isinstance(event, yaml.SequenceStartEvent):
            return [self.value(item, events, depth + 1) for item in _until(yaml.SequenceEndEvent, events)]
        result: dict[Any, Any] = {}
        for key_event in _until(yaml.MappingEndEvent, events):
            key = self.value(key_event, events, depth + 1)
            if not isinstance(key, str):
                raise self.refused(key_event, "a key must be a text")
            if key in result:
                raise self.refused(key_event, "the same key occurs twice")
            result[key] = self.value(next(events), events, depth + 1)
        return result

    def refused(self, event: Any, rule: str) -> AepValidationError:
        return _refused(self.shown, f"line {event.start_mark.line + 1}: {rule}")


def _until(end: type, events: Iterator[Any]) -> Iterator[Any]:
    for event in events:
        if isinstance(event, end):
            return
        yield event


def _plain_scalar(text: str) -> Any:
    """The value of a scalar without quotes."""
    if _NULL.fullmatch(text):
        return None
    if _TRUTH.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _refused(place: str, rule: str) -> AepValidationError:
    return AepValidationError("the export specs", [Problem(place, rule)])


def _shown(path: str | Path) -> str:
    """A path as text that can be printed anywhere."""
    return re.sub(r"[^\x20-\x7e\u00a1-\ud7ff\ue000-\ufffd]", "?", str(path))

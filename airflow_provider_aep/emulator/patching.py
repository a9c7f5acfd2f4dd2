"""The PATCH of entities: an array of JSON Patch operations with an If-Match header.

Source: Destinations API reference and "Update destination dataflows" guide; Flow Service error table.
"""

from __future__ import annotations

import copy
from typing import Any

from airflow_provider_aep.emulator.entities import Document
from airflow_provider_aep.emulator.replies import flow_error, stale, undocumented


def check_match(if_match: str | None, etag: str) -> None:
    if not if_match:
        raise flow_error(1403, 400, "The If-Match header is required")
    # The quotes are part of the etag: without them it is a different etag.
    if if_match != etag:
        raise stale(if_match, etag)


def patched(document: Document, operations: object, *, writable: frozenset[str]) -> Document:
    """A changed copy of a document.

    :param writable: the first names of the paths that may be changed.
    """
    if not operations:
        raise flow_error(1405, 400, "The request body is empty")
    if not isinstance(operations, list):
        # In the Sources reference, the schema of this body is one object, and its samples are arrays.
        raise undocumented("The body of a PATCH is an array of operations")
    changed = copy.deepcopy(document)
    for operation in operations:
        _apply(changed, operation, writable)
    return changed


def _apply(document: Document, operation: object, writable: frozenset[str]) -> None:
    if not isinstance(operation, dict):
        raise undocumented("Each operation is an object with op, path and value")
    # Assumed: any case. The references disagree, and Adobe's Python client sends "Replace".
    word = str(operation.get("op")).lower()
    if word not in ("add", "replace", "remove"):
        raise flow_error(1434, 400, "The patch operation is not supported: use add, replace or remove")
    path = str(operation.get("path", ""))
    names = [name.replace("~1", "/").replace("~0", "~") for name in path.split("/")[1:]]
    if names[:1] == ["connectionSpec"]:
        raise flow_error(1414, 400, "The connection spec of a connection cannot be changed")
    if not names or names[0] not in writable:
        raise _no_such_field(path)
    if word != "remove" and "value" not in operation:
        raise undocumented("The operation needs a value")
    holder: Any = document
    for name in names[:-1]:
        holder = _member(holder, name, path)
    _write(holder, names[-1], word, operation.get("value"), path)


def _write(holder: Any, name: str, word: str, value: Any, path: str) -> None:
    if isinstance(holder, list):
        if word == "add":
            holder.insert(len(holder) if name == "-" else _index(holder, name, path, extra=1), value)
        elif word == "remove":
            del holder[_index(holder, name, path)]
        else:
            holder[_index(holder, name, path)] = value
        return
    if not isinstance(holder, dict) or (word != "add" and name not in holder):
        raise _no_such_field(path)
    if word == "remove":
        del holder[name]
    else:
        holder[name] = value


def _member(holder: Any, name: str, path: str) -> Any:
    if isinstance(holder, list):
        return holder[_index(holder, name, path)]
    if not isinstance(holder, dict) or name not in holder:
        raise _no_such_field(path)
    return holder[name]


def _index(holder: list[Any], name: str, path: str, extra: int = 0) -> int:
    if name.isascii() and name.isdigit() and int(name[:9]) < len(holder) + extra:
        return int(name)
    raise _no_such_field(path)


def _no_such_field(path: str) -> Exception:
    return flow_error(1455, 400, f"The patch instruction refers to a field that does not exist: {path}")

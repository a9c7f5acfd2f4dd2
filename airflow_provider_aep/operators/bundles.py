"""Files that a DAG names: a path starts in the folder of the DAG file, and stays inside the DAG bundle.

A path may be rendered from what somebody typed when triggering the DAG, so these bounds are enforced.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow_provider_aep._airflow import conf
from airflow_provider_aep.errors import AepConfigError


def load_bundled_specs(path: str | Path, *, dag_file: str | None) -> list[dict[str, Any]]:
    """The checked documents of a file or folder of specs.

    :param dag_file: the file that defines the DAG.
    :raises AepConfigError: the path is missing, unreadable, or outside the DAG bundle.
    :raises AepValidationError: with all problems of all files at once.
    """
    from airflow_provider_aep.exports.files import load_specs

    if not dag_file:
        raise AepConfigError(f"export specs {path}: a path needs a DAG, in whose folder it starts")
    file = _start(path, Path(dag_file))
    try:
        return load_specs(path, within=bundle_root(file), beside=file.parent)
    except AepConfigError as error:
        raise AepConfigError(
            f"{error}. A path starts in the folder of the DAG file and stays inside the DAG bundle."
        ) from None


def _start(path: str | Path, dag_file: Path) -> Path:
    """The DAG file in whose folder a path starts.

    A DAG file may be a symbolic link, as Kubernetes mounts them: the link's folder comes first, then the
    folder of the file it points to.
    """
    link = dag_file.parent.resolve() / dag_file.name
    with suppress(OSError, ValueError):  # the reader of the path reports one that is not valid
        if not (link.parent / path).exists():
            return dag_file.resolve()
    return link


def bundle_root(dag_file: Path) -> Path:
    """The folder from which Airflow took a DAG file.

    Airflow does not provide it while a DAG is parsed, but puts it on ``sys.path`` in every process that
    parses DAGs. With several folders, the innermost is used, as the others hold more than DAGs.
    """
    file = dag_file.parent.resolve() / dag_file.name
    folders = [Path(entry).resolve() for entry in sys.path[_is_script(file) :] if entry]
    folders.append(Path(conf.get("core", "dags_folder")).resolve())
    return max((folder for folder in folders if folder in file.parents), key=_depth, default=file.parent)


def _is_script(file: Path) -> bool:
    """Whether Python was started with this file, and so put its folder first on ``sys.path``."""
    started = getattr(sys.modules.get("__main__"), "__file__", None)
    return bool(started) and Path(str(started)).resolve() == file.resolve()


def _depth(folder: Path) -> int:
    return len(folder.parts)

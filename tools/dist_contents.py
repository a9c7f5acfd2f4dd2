"""What the two files of a release must hold, and what they must not.

Every check takes what it judges and returns what is wrong, one sentence each: no files, no processes.
"""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from configparser import ConfigParser
from pathlib import Path
from typing import Any

from packaging.metadata import Metadata, RawMetadata, parse_email
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from trove_classifiers import classifiers, deprecated_classifiers

PACKAGE = "airflow_provider_aep"
CACHES = re.compile(r"(^|/)(__pycache__|\.[\w]+_cache|\.venv|\.git)/|\.py[co]$")
DIST_INFO = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
# Asked for by name, because a file that never was in the sources would not be missed.
NEEDED = (
    rf"{PACKAGE}/py\.typed",
    rf"{PACKAGE}/exports/export_spec\.schema\.json",
    rf"{PACKAGE}/emulator/service\.py",
    rf"{PACKAGE}/emulator/specs/\w+\.json",
    rf"{PACKAGE}/page/plugin\.py",
    rf"{PACKAGE}/page/www/exports\.js",
    rf"{PACKAGE}/page/www/aep\.css",
)

SECRETS = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:\s|\\n)*(?:Proc-Type|[\w+/=]{8,40})"),
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "an Adobe client secret": re.compile(r"\bp8e-[\w-]{28,}"),
    "a signed token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    "an Azure storage key": re.compile(r"AccountKey=[\w+/]{60,}=*|[?&]sig=[\w%]{40,}"),
    "a Google key": re.compile(r"\bAIza[\w-]{35}"),
    "a Slack token": re.compile(
        r"\bxox[abeprs]-[\w-]{20,}|hooks\.slack\.com/services/T\w{8,}/B\w{8,}/\w{20,}"
    ),
    "a token of a code host or package index": re.compile(
        r"\b(?:gh[oprsu]_\w{36}|github_pat_\w{40,}|glpat-[\w-]{20}|pypi-Ag[\w-]{40,}|npm_\w{36})"
    ),
    "a password in a URL": re.compile(r"\b\w+://[\w.-]+:[^\s/@{}$<>'\"]{12,}@[\w.-]+"),
}
# What examples and tests use in their place; anything that is not here is to be looked at.
FAKES = (
    "EXAMPLE",
    *("2345ABCDEFGH234", "ZANZIBARZANZIBAR"),
    "pr0xy-passw0rd@127.0.0.1",
)
FAKE_KEYS = ("VmVyeVByaXZhdGVLZXk", "bWFkZSB1cA==", "bm90IGEga2V5")  # of the tests, and only there
HOMES = re.compile(r"(?<![\w.<>{}\-/])/(?:work|home|root|Users)/[\w.-]+")

Files = Mapping[str, bytes]


def read_wheel(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def read_sdist(path: Path) -> dict[str, bytes]:
    """Its regular files, by their path below the top folder."""
    with tarfile.open(path) as archive:
        return {
            member.name.partition("/")[2]: _content(archive, member)
            for member in archive.getmembers()
            if not member.isdir()
        }


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file else b""


def check_wheel_files(found: Iterable[str], sources: Iterable[str], version: str) -> list[str]:
    """Exactly the package's files, and the five that describe it."""
    info = f"{PACKAGE}-{version}.dist-info"
    wanted = {name for name in sources if name.startswith(f"{PACKAGE}/") and not CACHES.search(name)}
    return [
        *_differences("the wheel", set(found), wanted | {f"{info}/{name}" for name in DIST_INFO}),
        *_missing("the wheel", found),
    ]


def check_sdist_files(found: Iterable[str], sources: Iterable[str]) -> list[str]:
    """Exactly the sources, so that all of the checks run from it, and its metadata."""
    wanted = {name for name in sources if not CACHES.search(name)} | {"PKG-INFO"}
    return [*_differences("the sdist", set(found), wanted), *_missing("the sdist", found)]


def _differences(where: str, found: set[str], wanted: set[str]) -> list[str]:
    return [
        *(f"{where} lacks {name}" for name in sorted(wanted - found)),
        *(f"{where} holds {name}, which nobody asked for" for name in sorted(found - wanted)),
    ]


def _missing(where: str, found: Iterable[str]) -> list[str]:
    return [
        f"{where} holds nothing like {pattern}"
        for pattern in NEEDED
        if not any(re.fullmatch(pattern, name) for name in found)
    ]


def check_secrets(where: str, files: Files, *, machine: Iterable[str] = ()) -> list[str]:
    """Nothing that looks like a secret or names the machine that built it. What was found is not repeated.

    :param machine: its own paths and names, each in the form in which it would show.
    """
    return [
        f"{where}, {name}, line {text.count(chr(10), 0, at) + 1}: {what}"
        for name, content in files.items()
        for text in [content.decode("utf-8", errors="replace")]
        for what, at in _suspicious(text, machine, is_test=name.startswith("tests/"))
    ]


def _suspicious(text: str, machine: Iterable[str], *, is_test: bool) -> Iterable[tuple[str, int]]:
    fakes = (*FAKES, *FAKE_KEYS) if is_test else FAKES
    for what, pattern in SECRETS.items():
        for match in pattern.finditer(text):
            if not any(fake in match[0] for fake in fakes):
                yield what, match.start()
    for match in HOMES.finditer(text):
        yield "a path of some machine", match.start()
    for word in machine:
        if word in text:
            yield "a path or name of this machine", text.index(word)


def check_metadata(metadata: bytes, project: Mapping[str, Any], version: str) -> list[str]:
    """The metadata is valid, and says what pyproject says.

    :param project: the table ``[project]``.
    """
    raw, unparsed = parse_email(metadata)
    try:
        told = Metadata.from_raw(raw)
    except ExceptionGroup as group:
        return [f"the metadata is not valid: {problem}" for problem in group.exceptions]
    pairs = {
        "Name": (told.name, project["name"]),
        "Version": (str(told.version), version),
        "Summary": (told.summary, project["description"]),
        "License-Expression": (told.license_expression, project["license"]),
        "License-File": (told.license_files, project["license-files"]),
        "Requires-Python": (told.requires_python, SpecifierSet(project["requires-python"])),
        "Requires-Dist": (set(told.requires_dist or ()), _requirements(project)),
        "Project-URL": (told.project_urls, project["urls"]),
        "Classifier": (told.classifiers, project["classifiers"]),
        "Description-Content-Type": (told.description_content_type, "text/markdown"),
    }
    return [
        *(f"the metadata has an unknown field {name}" for name in unparsed),
        *(
            f"{field} is {found!s}, not {wanted!s}"
            for field, (found, wanted) in pairs.items()
            if found != wanted
        ),
        *_check_classifiers(project),
        *_check_links(raw, project),
    ]


def check_entry_points(text: bytes, project: Mapping[str, Any]) -> list[str]:
    """The wheel tells an installer of the same programs, and Airflow of the same parts, as pyproject."""
    parser = ConfigParser(delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment]
    parser.read_string(text.decode())
    found = {group: dict(parser[group]) for group in parser.sections()}
    wanted = {"console_scripts": project["scripts"], **project["entry-points"]}
    return [] if found == wanted else [f"the entry points are {found}, not {wanted}"]


def _requirements(project: Mapping[str, Any]) -> set[Requirement]:
    extras = {
        Requirement(f"{text}; extra == '{extra}'")
        for extra, texts in project.get("optional-dependencies", {}).items()
        for text in texts
    }
    return {*map(Requirement, project["dependencies"]), *extras}


def _check_classifiers(project: Mapping[str, Any]) -> Iterable[str]:
    wanted = {"Framework :: Apache Airflow", "Framework :: Apache Airflow :: Provider", "Typing :: Typed"}
    given = project["classifiers"]
    yield from (f"classifier {name!r} is missing" for name in sorted(wanted - set(given)))
    yield from (f"classifier {name!r} does not exist" for name in given if name not in classifiers)
    yield from (f"classifier {name!r} is deprecated" for name in given if name in deprecated_classifiers)
    supported = SpecifierSet(project["requires-python"])
    for name in given:
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", name):
            python = name.rpartition(" ")[2]
            if python not in supported:
                yield f"classifier {name!r} contradicts Requires-Python {supported}"


def _check_links(raw: RawMetadata, project: Mapping[str, Any]) -> Iterable[str]:
    """Airflow's UI links to the URL that is called Documentation; an index shows the description."""
    wanted = {"Documentation", "Changelog", "Issues", "Source"}
    yield from (f"no project URL {name!r}" for name in sorted(wanted - set(project["urls"])))
    yield from (
        f"project URL {name!r} is not https"
        for name, url in project["urls"].items()
        if not url.startswith("https://")
    )
    description = re.sub(r"^```.*?^```$", "", raw.get("description", ""), flags=re.MULTILINE | re.DOTALL)
    relative = re.compile(r"\]\((?!https?://|#)([^)\s]+)\)|\b(?:src|srcset|href)=\"(?!https?://|#)([^\"]+)\"")
    for match in relative.finditer(description):
        yield f"the description links to {match[1] or match[2]}, which leads nowhere on an index"

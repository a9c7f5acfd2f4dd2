"""What keeps a bad release in: archives with one thing wrong each, and the project's own metadata."""

from __future__ import annotations

import io
import re
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_aep
from tools.dist import sources
from tools.dist_contents import (
    check_entry_points,
    check_metadata,
    check_sdist_files,
    check_secrets,
    check_wheel_files,
    read_sdist,
    read_wheel,
)
from tools.environment import CHECKOUT
from tools.readme_for_index import with_full_links

PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
PACKAGE = (
    *(
        "__init__.py",
        "py.typed",
        "exports/export_spec.schema.json",
        "emulator/service.py",
        "emulator/specs/s3.json",
    ),
    *("page/plugin.py", "page/www/exports.js", "page/www/aep.css"),
)
SOURCES = [*(f"airflow_provider_aep/{name}" for name in PACKAGE), "README.md", "tests/unit/test_dist.py"]
INFO = [
    f"airflow_provider_aep-1.2.3.dist-info/{name}"
    for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
]
WHEEL = [*SOURCES[: len(PACKAGE)], *INFO]
SDIST = [*SOURCES, "PKG-INFO"]
# In parts, so that this file is not what they are looked for in.
PLANTED = {
    "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEowIBAAKCAQEA",
    "an AWS access key": "AKIA" + "QYLPMN5HXXXXXXXX",
    "an Adobe client secret": "p8e-" + "Zk3" * 12,
    "a signed token": "eyJ" + "hbGciOiJSUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0NTY3.c2lnbmF0dXJl",
    "an Azure storage key": "Account" + "Key=" + "aB3/" * 21 + "==",
    "a Google key": "AIza" + "b" * 35,
    "a Slack token": "xoxb-" + "1234567890-abcdefghij",
    "a token of a code host or package index": "ghp_" + "a1" * 18,
    "a password in a URL": "https://me:" + "correct-horse-battery@acme.example",
    "a path of some machine": "see /ho" + "me/jo/airflow",
}


def test_a_wheel_with_exactly_the_package_is_good() -> None:
    assert check_wheel_files(WHEEL, SOURCES, "1.2.3") == []


@pytest.mark.parametrize("stray", ["tests/unit/test_dist.py", "airflow_provider_aep/notes.txt", ".env"])
def test_a_stray_file_in_the_wheel_is_found(stray: str) -> None:
    assert check_wheel_files([*WHEEL, stray], SOURCES, "1.2.3") == [
        f"the wheel holds {stray}, which nobody asked for"
    ]


def test_a_cache_is_no_part_of_a_release_though_it_lies_in_the_sources() -> None:
    cache = "airflow_provider_aep/__pycache__/hooks.cpython-311.pyc"
    assert check_wheel_files(WHEEL, [*SOURCES, cache], "1.2.3") == []
    assert check_sdist_files([*SDIST, cache], [*SOURCES, cache]) == [
        f"the sdist holds {cache}, which nobody asked for"
    ]


@pytest.mark.parametrize("name", [name for name in WHEEL if not name.endswith("__init__.py")])
def test_what_the_wheel_lacks_is_found(name: str) -> None:
    problems = check_wheel_files([each for each in WHEEL if each != name], SOURCES, "1.2.3")
    assert f"the wheel lacks {name}" in problems


@pytest.mark.parametrize("name", ["py.typed", "page/www/aep.css", "exports/export_spec.schema.json"])
def test_what_must_be_there_is_missed_though_the_sources_lack_it_too(name: str) -> None:
    path = f"airflow_provider_aep/{name}"
    found, sources = ([each for each in files if each != path] for files in (WHEEL, SOURCES))
    (problem,) = check_wheel_files(found, sources, "1.2.3")
    assert problem.replace("\\", "").endswith(path)


def test_an_sdist_holds_the_tests_too() -> None:
    assert check_sdist_files(SDIST, SOURCES) == []
    assert check_sdist_files([name for name in SDIST if "tests" not in name], SOURCES) == [
        "the sdist lacks tests/unit/test_dist.py"
    ]


@pytest.mark.parametrize(("what", "text"), PLANTED.items(), ids=PLANTED)
def test_a_planted_secret_is_found_and_not_repeated(what: str, text: str) -> None:
    files = {"a.py": b"x = 1\n", "docs/b.md": f"first\n{text}\n".encode()}
    assert check_secrets("the sdist", files) == [f"the sdist, docs/b.md, line 2: {what}"]


def test_the_made_up_key_of_a_test_is_good_in_a_test_alone() -> None:
    key = ("-----BEGIN OPENSSH " + "PRIVATE KEY-----\\nbWFkZSB1cA==\\n").encode()
    assert check_secrets("the sdist", {"tests/unit/a.py": key}) == []
    assert check_secrets("the sdist", {"tools/a.py": key}) != []


def test_nothing_in_the_checkout_looks_like_a_secret() -> None:
    names = sources() if (CHECKOUT / ".git").exists() else []
    assert check_secrets("the sdist", {name: (CHECKOUT / name).read_bytes() for name in names}) == []


def test_a_name_of_the_building_machine_is_found() -> None:
    files = {"a.py": b"made in builder-7/aep\n"}
    assert check_secrets("the wheel", files, machine=["builder-7/"]) == [
        "the wheel, a.py, line 1: a path or name of this machine"
    ]


def test_archives_are_read_by_path(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        archive.writestr("package/py.typed", "")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as sdist:
        member = tarfile.TarInfo("a-1.0/docs/a.md")
        member.size = 2
        sdist.addfile(member, io.BytesIO(b"hi"))
    assert read_wheel(tmp_path / "a.whl") == {"package/py.typed": b""}
    assert read_sdist(tmp_path / "a.tar.gz") == {"docs/a.md": b"hi"}


def metadata(**changes: str | None) -> bytes:
    """As a build writes it for this project; a field changed, or left out with None."""
    fields: list[tuple[str, Any]] = [
        ("Metadata-Version", "2.4"),
        ("Name", PROJECT["name"]),
        ("Version", "1.2.3"),
        ("Summary", PROJECT["description"]),
        ("License-Expression", PROJECT["license"]),
        ("License-File", "LICENSE"),
        ("Requires-Python", PROJECT["requires-python"]),
        *(("Project-URL", f"{name}, {url}") for name, url in PROJECT["urls"].items()),
        *(("Classifier", name) for name in PROJECT["classifiers"]),
        *(("Requires-Dist", text) for text in PROJECT["dependencies"]),
        *(
            (name, value)
            for extra, texts in PROJECT["optional-dependencies"].items()
            for name, value in (
                ("Provides-Extra", extra),
                *(("Requires-Dist", f"{text}; extra == '{extra}'") for text in texts),
            )
        ),
        ("Description-Content-Type", "text/markdown"),
    ]
    changed = {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"{name}: {changed.get(name, value)}" for name, value in fields if changed.get(name, value)]
    return "\n".join([*lines, "", "# A provider", ""]).encode()


def test_the_metadata_of_this_project_is_good() -> None:
    assert check_metadata(metadata(), PROJECT, "1.2.3") == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Name", "airflow-provider-app"),
        ("Version", "1.2.4"),
        ("License-Expression", "MIT"),
        ("License-Expression", "Apache 2"),
        ("Requires-Python", ">=3.9"),
        ("Requires-Python", None),
        ("Requires-Dist", "leftpad"),
        ("Project-URL", "Documentation, https://acme.example"),
        ("Classifier", "Framework :: Apache Airflow"),
        ("Description-Content-Type", "text/x-rst"),
    ],
)
def test_metadata_that_says_something_else_is_found(field: str, value: str | None) -> None:
    problems = check_metadata(metadata(**{field.replace("-", "_"): value}), PROJECT, "1.2.3")
    assert any(
        field.lower().replace("-", "") in problem.lower().replace("-", "").replace("_", "")
        for problem in problems
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"classifiers": [*PROJECT["classifiers"], "Framework :: Airflow"]}, "does not exist"),
        ({"classifiers": [*PROJECT["classifiers"], "Natural Language :: Ukranian"]}, "is deprecated"),
        ({"classifiers": [*PROJECT["classifiers"], "Programming Language :: Python :: 3.9"]}, "contradicts"),
        ({"classifiers": PROJECT["classifiers"][:-1]}, "'Typing :: Typed' is missing"),
        ({"urls": {**PROJECT["urls"], "Source": "http://acme.example"}}, "is not https"),
        ({"urls": {"Source": "https://acme.example"}}, "no project URL 'Documentation'"),
    ],
)
def test_a_project_table_that_an_index_or_airflow_misreads_is_found(
    change: dict[str, Any], told: str
) -> None:
    assert any(told in problem for problem in check_metadata(metadata(), {**PROJECT, **change}, "1.2.3"))


def test_entry_points_that_got_lost_are_found() -> None:
    project = {"scripts": {"aep": "a.cli:main"}, "entry-points": {"airflow.plugins": {"Page": "a.page:Page"}}}
    script, plugin = b"[console_scripts]\naep = a.cli:main\n", b"[airflow.plugins]\nPage = a.page:Page\n"
    assert check_entry_points(script + plugin, project) == []
    (problem,) = check_entry_points(script, project)
    assert "airflow.plugins" in problem


def test_a_link_that_leads_nowhere_on_an_index_is_found() -> None:
    text = b'[docs](docs/a.md) [web](https://acme.example) [here](#a) <img src="a.png">\n'
    assert [problem.split()[4] for problem in check_metadata(metadata() + text, PROJECT, "1.2.3")] == [
        "docs/a.md,",
        "a.png,",
    ]


def test_the_readme_of_an_index_has_full_links_alone() -> None:
    text = with_full_links((CHECKOUT / "README.md").read_text(), PROJECT["urls"]["Source"])
    assert check_metadata(metadata() + text.encode(), PROJECT, "1.2.3") == []
    assert f"{PROJECT['urls']['Source']}/blob/main/docs/connection.md" in text


def test_the_changes_begin_with_this_version_and_name_each_version_once() -> None:
    # One entry for a version, the newest first, each with its date and the same three sections.
    text = (CHECKOUT / "CHANGELOG.md").read_text()
    entries = re.findall(r"^## (\d+\.\d+\.\d+) \((?:unreleased|\d{4}-\d\d-\d\d)\)$", text, re.MULTILINE)
    assert len(entries) == text.count("\n## ")
    assert entries[0] == airflow_provider_aep.__version__
    numbers = [tuple(map(int, entry.split("."))) for entry in entries]
    assert numbers == sorted(set(numbers), reverse=True)
    for entry in text.split("\n## ")[1:]:
        assert re.findall(r"^### (.+)$", entry, re.MULTILINE) == ["Breaking", "Features", "Fixes"]

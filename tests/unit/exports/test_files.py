"""Specs from files: read as they were typed, or refused by file, line and rule."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from airflow_provider_aep.errors import AepConfigError, AepError, AepValidationError
from airflow_provider_aep.exports.files import LARGEST_FILE, load_specs
from airflow_provider_aep.exports.spec import parse_spec

SECRET = "hunter2-Z9"
SPEC = """\
name: {name}
datasets: [5ef3e3259ad2a1191ab7dd7d]
destination:
  type: data_landing_zone
  params: {{path: exports, datasetFileType: JSON}}
schedule: {{every: 3h, start: 2026-12-01T00:00:00Z, end: 2027-06-01}}
"""
JSON = (
    '{"name": "%s", "datasets": ["5ef3"], "destination": {"type": "data_landing_zone",'
    ' "params": {"path": "x", "datasetFileType": "JSON"}}, "schedule": "3h"}'
)


@pytest.fixture
def write(tmp_path) -> Callable[..., Path]:
    def written(name: str, content: str | bytes) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return written


def spec(name: str) -> str:
    return SPEC.format(name=name)


def inside(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def refusal(path: str | Path, kind: type[AepError] = AepValidationError, **options: Path) -> str:
    with pytest.raises(kind) as refused:
        load_specs(path, **options)
    assert SECRET not in str(refused.value)
    return str(refused.value)


def test_one_spec_in_a_file(write):
    (document,) = load_specs(write("crm.yaml", "# nightly\n" + spec("crm")))
    assert document["schedule"] == {"every": "3h", "start": "2026-12-01T00:00:00Z", "end": "2027-06-01"}
    assert parse_spec(document).name == "crm"


def test_several_specs_in_a_file(write):
    stream = write("stream.yml", f"---\n{spec('a')}---\n{spec('b')}---\n")
    both = "exports:\n" + "".join(f"  -\n{inside(spec(name))}" for name in "ab")
    for file in (
        stream,
        write("list.yaml", both),
        write("x.json", f'{{"exports": [{JSON % "a"}, {JSON % "b"}]}}'),
    ):
        assert [document["name"] for document in load_specs(file)] == ["a", "b"]


def test_a_folder_is_read_in_the_order_of_its_names(write, tmp_path):
    write("b.json", JSON % "second")
    write("a/z.YAML", spec("first"))
    write("notes.txt", "not ours")
    write(".hidden.yaml", SECRET)
    write(".git/x.yaml", SECRET)
    assert [document["name"] for document in load_specs(tmp_path)] == ["first", "second"]


def test_a_relative_path_starts_beside(write, tmp_path, monkeypatch):
    write("dags/specs/crm.yaml", spec("crm"))
    assert load_specs("specs/crm.yaml", beside=tmp_path / "dags")
    monkeypatch.chdir(tmp_path)
    assert load_specs("dags/specs/crm.yaml", within=tmp_path)


def test_words_keep_what_was_typed(write):
    file = write(
        "a.yaml", spec("no").replace("path: exports", "path: '12', a: 0755, b: 1e5, c: yes, d: 1.5, e: true")
    )
    (document,) = load_specs(file)
    params = document["destination"]["params"]
    assert document["name"] == "no"
    assert {key: params[key] for key in ("path", *"abcde")} == {
        "path": "12",
        "a": "0755",
        "b": "1e5",
        "c": "yes",
        "d": 1.5,
        "e": True,
    }


def test_problems_are_told_by_file_and_index(write, tmp_path):
    write("a.yaml", spec("a").replace("every: 3h", "every: 0h"))
    write("b/b.yaml", f"{spec('b')}---\n{spec('c')}owner: a b\n")
    write("c.yaml", "a: [")
    write("d.yaml", spec("b"))
    with pytest.raises(AepValidationError) as refused:
        load_specs(tmp_path)
    assert {problem.pointer for problem in refused.value.problems} == {
        "a.yaml/schedule/every",
        "b/b.yaml[1]/owner",
        "c.yaml",
        "d.yaml/name",
    }


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (f"a: &x {SECRET}\nb: *x\n", "line 1: aliases and anchors are not allowed: they can explode"),
        (f"\nb: *{SECRET}\n", "line 2: aliases"),
        (f"&x a: {SECRET}\n", "line 1: aliases"),
        (f"a: !!str {SECRET}\n", "line 1: tags are not allowed"),
        (f"a: !!python/object/apply:os.system [{SECRET}]\n", "line 1: tags"),
        (f"a: ! {SECRET}\n", "line 1: tags"),
        (f"a: 1\nb:\n  c: 1\n  c: {SECRET}\n", "line 4: the same key occurs twice"),
        (f"1: {SECRET}\n", "line 1: a key must be a text"),
        (f"? [{SECRET}]\n: 1\n", "line 1: a key must be a text"),
        ("a: " + "[" * 21 + "]" * 21, "line 1: is nested more than 20 levels deep"),
        ("[" * 500_000, "is nested more than 20 levels deep"),
        ("a: 1\nb: {c\n", "is no YAML"),
        (f"a: 1\n{SECRET}\nb: 2\n", "line 3"),
        (f"a: b: {SECRET}", "line 1, column 5: is no YAML: mapping values are not allowed"),
        (f"a: %{SECRET}", "line 1, column 4: is no YAML"),
        (f"a: \x07{SECRET}", "is no YAML"),
        (b"a: 1\nb: \xff\n", "line 2 is no UTF-8 text"),
        (b"#" + b"x" * LARGEST_FILE, "is larger than 1 MiB"),
        ("# nothing\n", "holds no export spec"),
        ("exports: []\n", "holds no export spec"),
        (f"exports: {SECRET}\n", "f.yaml/exports must be a list of specs"),
        ("exports: []\nname: x\n", "has 1 more key beside exports"),
        (f"exports: [{'1,' * 1001}]\n", "holds more than 1000 export specs"),
        (SECRET, "must be a dict"),
        ("- a\n", "must be a dict"),
    ],
)
def test_yaml_that_is_more_than_plain_is_refused(write, content, rule):
    assert rule in refusal(write("f.yaml", content))


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (f'{{"a": 1,\n "{SECRET}" 2}}', "line 2, column 15: is no JSON"),
        (f'{{"a": 1, "a": "{SECRET}"}}', "the same key twice"),
        ('{"a": NaN}', "NaN or Infinity"),
        ('{"a": ' + "1" * 5000 + "}", "has a number that is too long"),
        ('{"a":' * 100_000, "is nested more than 20 levels deep"),
        ("[" * 22 + "]" * 22, "is nested more than 20 levels deep"),
        ("", "line 1, column 1: is no JSON"),
        ('{"name": "\\ud800"}', "must be Unicode text"),
        ("null", "holds no export spec"),
    ],
)
def test_json_that_is_odd_is_refused(write, content, rule):
    assert rule in refusal(write("f.json", content))


def test_the_largest_file_is_read_in_time(write):
    began = time.perf_counter()
    refusal(write("f.yaml", "- {a: 1}\n" * (LARGEST_FILE // 9)))
    assert time.perf_counter() - began < 30


def test_a_path_outside_is_refused_however_it_gets_there(write, tmp_path):
    outside = write("secret/crm.yaml", spec("crm"))
    folder = tmp_path / "dags"
    (folder / "specs").mkdir(parents=True)
    (folder / "link.yaml").symlink_to(outside)
    (folder / "door").symlink_to(outside.parent)
    (folder / "specs" / "crm.yaml").symlink_to(outside)
    paths = [
        "../secret/crm.yaml",
        "../secret/none.yaml",
        str(outside),
        "link.yaml",
        "door/crm.yaml",
        "door",
        "specs",
        "..",
    ]
    for path in paths:
        told = refusal(path, AepConfigError, within=folder, beside=folder)
        assert told.startswith(f"export specs {path}: leads outside the folder"), path
    assert load_specs("link.yaml", beside=folder)


def test_a_link_inside_is_followed(write, tmp_path):
    """As a folder of a Kubernetes ConfigMap has them."""
    write("..data/crm.yaml", spec("crm"))
    (tmp_path / "crm.yaml").symlink_to("..data/crm.yaml")
    assert len(load_specs(tmp_path, within=tmp_path)) == 1


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("none.yaml", "does not exist"),
        ("crm.yaml/x.yaml", "cannot be read"),
        ("a\0.yaml", "cannot be read"),
        ("x" * 5000, "cannot be read"),
        ("notes.txt", "the name must end in .yaml, .yml, .json"),
        ("empty", "the folder has no .yaml, .yml, .json file"),
        ("loop.yaml", "cannot be read"),
        ("pipe.yaml", "is no ordinary file"),
        ("pipes", "is no ordinary file"),
        ("", "must name a file or a folder"),
    ],
)
def test_what_is_no_file_is_told_by_the_path_as_given(write, tmp_path, path, rule):
    write("crm.yaml", spec("crm"))
    write("notes.txt", "")
    write("empty/notes.txt", "")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "pipes").mkdir()
    os.mkfifo(tmp_path / "pipes" / "pipe.yaml")
    told = refusal(path, AepConfigError, beside=tmp_path)
    assert rule in told
    assert path.replace("\0", "?") in told
    assert str(tmp_path) not in told


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_told(write, tmp_path):
    write("crm.yaml", spec("crm")).chmod(0)
    assert "cannot be read" in refusal("crm.yaml", AepConfigError, beside=tmp_path)


@pytest.mark.parametrize("libyaml", [True, False])
def test_both_parsers_of_yaml_read_the_same(write, monkeypatch, libyaml):
    if not libyaml:
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    (document,) = load_specs(write("crm.yaml", "\ufeff" + spec("crm")))
    assert document["destination"]["params"] == {"path": "exports", "datasetFileType": "JSON"}
    assert "line 1: aliases" in refusal(write("x.yaml", "a: &x 1"))
    assert "line 1, column 5: is no YAML" in refusal(write("x.yaml", f"a: b: {SECRET}"))
    # one of the two parsers quotes a character of the file here
    assert "@" not in refusal(write("x.yaml", "a: @x"))


def test_a_byte_order_mark_is_no_part_of_the_text(write):
    assert len(load_specs(write("crm.json", "\ufeff" + JSON % "crm"))) == 1

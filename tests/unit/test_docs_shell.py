"""Every shell line on a page is understood by the program that it is for.

A block of ``text`` is what somebody sees; of it only what follows a ``$`` is typed.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
import re
import shlex
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from airflow.configuration import conf
from airflow.providers.common.compat.sdk import BaseHook
from packaging.requirements import Requirement

from airflow_provider_aep.cli.parser import make_parser as aep_parser
from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.emulator.__main__ import _parser as emulator_parser
from airflow_provider_aep.emulator.server import serve
from airflow_provider_aep.hooks import AepConnection
from tests.unit.test_docs import CHECKOUT, Block, blocks

# Programs of the shell and the system, which need no word of ours to be right.
PLAIN = {"source", "mkdir", "find", "echo", "exit", "case", "esac"}
PLACEHOLDER = "..."
# Where all this is typed: what the project's own environment brings.
TOOLS = {"pytest", "ruff", "mypy"}


def assignments(script: str) -> dict[str, str]:
    """What a script gives to environment variables."""
    return {
        name: value
        for words in commands(script)
        for name, equals, value in (word.partition("=") for word in words)
        if equals and re.fullmatch(r"[A-Z][A-Z0-9_]*", name)
    }


def commands(script: str) -> Iterator[list[str]]:
    """The simple commands of a script: what stands between operators, without redirections."""
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|()<>")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if word and set(word) <= set(";&|"):
                if words:
                    yield words
                words = []
            elif word == ")":
                words = []  # a pattern of `case`
            elif word and set(word) <= set("<>"):
                words.append(">")
            elif words[-1:] == [">"]:
                words.pop()
            else:
                words.append(word)


def typed() -> list[Block]:
    """All that a page tells to type into a shell."""
    sessions = [
        Block(block.page, block.line, "sh", "\n".join(re.findall(r"^\$ (.*)$", block.text, re.MULTILINE)))
        for block in blocks("text")
    ]
    return [block for block in (*blocks("sh"), *blocks("bash"), *sessions) if block.text.strip()]


@pytest.mark.parametrize("block", typed(), ids=str)
def test_a_shell_understands_each_line_on_a_page(block: Block, emulator: Emulator) -> None:
    for words in commands(block.text):
        _check_command(words, emulator)


def _check_command(words: list[str], emulator: Emulator) -> None:
    words = [word for word in words if word != "export"]
    while words and re.fullmatch(r"[A-Z][A-Z0-9_]*=.*", words[0], re.DOTALL):
        name, _, value = words.pop(0).partition("=")
        _check_variable(name, value)
    if not words or words[0] in PLAIN:
        return
    program, *given = words
    match program.rpartition("/")[2]:
        case "aep":
            _parsed(aep_parser(), given)
        case "airflow" if given[0] == "aep":
            _parsed(aep_parser(), given[1:])
        case "airflow":
            from airflow.cli.cli_parser import get_parser

            _parsed(get_parser(), given)
        case "python":
            _check_python(given)
        case "make":
            assert re.search(rf"^{given[0]}:", (CHECKOUT / "Makefile").read_text(), re.MULTILINE), given
        case "curl":
            _send(given, emulator)
        case "pip":
            _check_install(given)
        case _:
            pytest.fail(f"nobody checks {program}")


def _check_variable(name: str, value: str) -> None:
    if name.startswith("AIRFLOW_CONN_") and value != PLACEHOLDER:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv(name, value)
            conn = BaseHook.get_connection(name.removeprefix("AIRFLOW_CONN_").lower())
        if conn.conn_type == "aep":
            AepConnection.from_airflow(conn, conn.extra_dejson)
        else:
            assert conn.password or conn.extra_dejson.get("role_arn"), name
    elif name.startswith("AIRFLOW__"):
        _, section, option = name.split("__")
        assert conf.has_option(section.lower(), option.lower()), name


def _parsed(parser: Any, given: list[str]) -> None:
    with contextlib.redirect_stderr(io.StringIO()) as told:
        try:
            parser.parse_args(given)
        except SystemExit:
            pytest.fail(told.getvalue())


def _check_python(given: list[str]) -> None:
    option, what, *rest = given
    if option == "-c":
        with contextlib.redirect_stdout(io.StringIO()) as shown:
            exec(what, {})
        assert Path(shown.getvalue().strip()).exists()
        return
    assert option == "-m"
    if what == "airflow_provider_aep.cli":
        _parsed(aep_parser(), rest)
    elif what == "airflow_provider_aep.emulator":
        _parsed(emulator_parser(), rest)
    else:
        assert what in TOOLS or find_spec(what), what


def _check_install(given: list[str]) -> None:
    assert given[0] == "install"
    for requirement in map(Requirement, given[1:]):
        metadata = importlib.metadata.metadata(requirement.name)
        assert requirement.extras <= set(metadata.get_all("Provides-Extra") or [])


def _send(given: list[str], emulator: Emulator) -> None:
    """The request of a ``curl``, to an emulator behind HTTP."""
    options = dict(zip(given[:4:2], given[1:4:2], strict=True)) | dict([given[5:7]])
    header, _, value = options["-H"].partition(": ")
    with serve(emulator) as address:
        place, _, path = given[4].partition("/emulator/")
        assert place == "http://127.0.0.1:8088"
        request = urllib.request.Request(
            f"{address}/emulator/{path}", options["-d"].encode(), {header: value}, method=options["-X"]
        )
        with urllib.request.urlopen(request) as answer:
            assert json.loads(answer.read()) == {"done": True}

"""What people who use other command lines expect of this one, tried from outside as they would."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_aep import __version__
from airflow_provider_aep.cli import main
from airflow_provider_aep.cli.output import Output
from airflow_provider_aep.cli.program import BY_NAME
from airflow_provider_aep.cli.table import COMMANDS
from tests.unit.test_cli import IMPORTS, SPEC, aep_cli, bucket, entities, specs

__all__ = ["aep_cli", "bucket", "specs"]  # fixtures

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def shell(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a shell makes of a script in which ``aep`` is the program."""
    program = f'aep() {{ "{sys.executable}" -m airflow_provider_aep.cli "$@"; }}\n'
    return subprocess.run(
        ["bash", "-c", program + script],
        capture_output=True,
        text=True,
        check=False,
        env={**IMPORTS, **environment},
        timeout=120,
    )


@pytest.fixture
def terminal(monkeypatch):
    """``terminal(columns)``: an output for people on a terminal of that width, and its stream."""

    def make(columns: int, **environment: str):
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("NO_COLOR", "1")
        stream = io.StringIO()
        stream.isatty = lambda: True  # type: ignore[method-assign]
        return Output(stream, as_json=False), stream

    return make


# What a new user types first


def test_the_version_is_told_with_what_it_runs_on(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    told = capsys.readouterr()
    assert ended.value.code == 0
    assert re.fullmatch(rf"aep {re.escape(__version__)} \(Airflow [\d.]+, Python [\d.]+\)\n", told.out)


def test_without_arguments_there_is_help(capsys):
    assert main([]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert "usage: aep" in told.out
    assert all(re.search(rf"^    {command.name}\b", told.out, re.MULTILINE) for command in COMMANDS)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["chekc"], "(did you mean 'check'?)"),
        (["import", "--outptu", "x", "--all"], "(did you mean '--output'?)"),
        (["plan", ".", "--sandbx=dev"], "(did you mean '--sandbox'?)"),
        (["usage", "--by", "mnoth"], "must be one of day, month, year (did you mean 'month'?)"),
        (["alert", "tset"], "must be one of test (did you mean 'test'?)"),
        (["completion", "zhs"], "must be one of bash, zsh, fish (did you mean 'zsh'?)"),
        (["--json", "list"], "aep: --json must come after a command: aep COMMAND --json"),
        (["--conn-id", "list", "plan"], "aep: --conn-id must come after a command: aep COMMAND --conn-id"),
        (["--versoin"], "aep: unknown argument: --versoin (did you mean '--version'?)"),
    ],
)
def test_what_is_misspelt_is_met_with_what_was_meant(capsys, typed, says):
    with pytest.raises(SystemExit) as ended:
        main(typed)
    told = capsys.readouterr()
    assert (ended.value.code, told.out) == (1, "")
    assert told.err.startswith("usage: aep")
    assert says in told.err


def test_an_option_cannot_be_abbreviated(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["delete", "nightly", "--with", "--yes"])
    assert ended.value.code == 1
    assert "unknown argument: --with" in capsys.readouterr().err


def test_a_connection_that_is_misspelt_too(aep_cli, specs):
    code, _, err = aep_cli("plan", specs("one"), "--conn-id", "aep_defualt")
    assert (code, "(did you mean 'aep_default'?)" in err) == (1, True)


# Standard input


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        (["list", "--name", ""], "--name"),
        (["list", "--owner", " "], "--owner"),
        (["check", "--name", ""], "--name"),
        (["check", "--destination", "s3", "--destination", ""], "--destination"),
        (["list", "--conn-id", ""], "--conn-id"),
        (["list", "--sandbox", ""], "--sandbox"),
        (["runs", ""], "NAME_OR_ID"),
        (["delete", "", "--yes"], "NAME_OR_PATH"),
        (["plan", ""], "PATH"),
    ],
)
def test_a_variable_of_a_script_that_is_not_set_selects_nothing(aep_cli, typed, names):
    told = aep_cli(*typed)
    assert told == (BY_NAME[typed[0]].error, "", f"aep: {names} must not be empty\n")


def test_a_connection_that_was_not_copied_whole_is_not_said_to_be_missing(aep_cli, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_AEP_HALF", '{"conn_type": "aep", "password": "s3cret-half')
    code, _, err = aep_cli("list", "--conn-id", "aep_half")
    assert code == 1
    assert "what AIRFLOW_CONN_AEP_HALF holds is neither JSON nor a URI" in err
    assert "did you mean" not in err
    assert "s3cret" not in err


def test_specs_can_come_from_standard_input(aep_cli, monkeypatch, aep):
    for text in (SPEC.format(name="one", every="3h"), f"---\n{SPEC.format(name='two', every='3h')}"):
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        assert aep_cli("ensure", "-")[0] == 0
    assert entities(aep)["flows"] == 2
    monkeypatch.setattr(sys, "stdin", io.StringIO(SPEC.format(name="one", every="3h")))
    assert aep_cli("delete", "-", "--yes")[0] == 0
    assert entities(aep)["flows"] == 1


def test_json_can_come_from_standard_input_and_a_problem_has_its_place(aep_cli, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"name": "\\ud83d\\ude00", "owner": "me"}'))
    code, out, _ = aep_cli("validate", "-")
    assert code == 1
    assert "error  stdin/datasets is missing" in out


def test_a_file_and_standard_input_go_together(aep_cli, monkeypatch, specs):
    monkeypatch.setattr(sys, "stdin", io.StringIO(SPEC.format(name="one", every="3h")))
    assert aep_cli("validate", "-", specs("two"))[:2] == (0, "2 export specs, no problem\n")


@pytest.mark.parametrize("typed", [("validate", "-", "-"), ("ensure", "-", "--plan", "-")])
def test_standard_input_cannot_be_two_things(aep_cli, typed):
    code, _, err = aep_cli(*typed)
    assert (code, err.startswith("aep: standard input (-) can ")) == (1, True)


def test_a_plan_can_come_from_standard_input(aep_cli, monkeypatch, specs, tmp_path, aep):
    file = tmp_path / "plan.json"
    assert aep_cli("plan", specs("one"), "--out", str(file))[0] == 2
    monkeypatch.setattr(sys, "stdin", io.StringIO(file.read_text()))
    assert aep_cli("ensure", specs("one"), "--plan", "-")[0] == 0
    assert entities(aep)["flows"] == 1


def test_a_dash_is_no_name_of_a_file_to_write(aep_cli, specs, make_dataflow, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert aep_cli("plan", specs("one"), "--out", "-")[0] == 1
    make_dataflow("nightly")
    code, out, _ = aep_cli("import", "nightly", "--output", "-")
    assert (code, "name: nightly" in out) == (0, True)
    assert not Path("-").exists()


# Streams


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_a_stream_that_is_closed_stops_nothing(specs, closed):
    done = shell(f"aep validate {specs('one')} {closed}")
    assert done.returncode == 0
    assert "Traceback" not in done.stdout + done.stderr
    assert ">&- " in f"{closed} " or done.stdout == "1 export spec, no problem\n"


def test_a_file_opened_later_does_not_take_the_place_of_a_closed_stream(specs, tmp_path):
    done = shell(f"aep validate {specs('one')} --json >&-; aep validate {specs('one')} nowhere.yaml 2>&-")
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("typed", ["--help", "--version", "", "completion bash"])
def test_a_reader_that_goes_away_is_no_error(typed):
    done = shell(f"set -o pipefail; aep {typed} | true")
    assert (done.returncode, done.stderr) == (0, "")


def test_results_that_cannot_be_written_are_an_error(specs):
    done = shell(f"aep validate {specs('one')} > /dev/full")
    assert done.returncode == 1
    assert done.stderr == "aep: the results cannot be written: No space left on device\n"


# Terminals


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colours_are_for_terminals_that_know_them(monkeypatch, environment, coloured):
    for name, value in {"TERM": "xterm", "NO_COLOR": "", **environment}.items():
        monkeypatch.setenv(name, value)
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]
    Output(stream, as_json=False).line("fail  nightly", word="fail")
    assert ("\x1b[" in stream.getvalue()) == coloured


HEAD = ("outcome", "export", "every", "what was found")
ROW = ("fail", "crm-nightly", "3h", "run 8cdb305f-dd2e-4609-ae36-aab0d1bc52d9 ended as failed: Job aborted.")


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 100, 120])
def test_a_table_fits_a_terminal_and_loses_nothing(terminal, columns):
    output, stream = terminal(columns)
    output.table(HEAD, [ROW, ("ok", "orders", "1d", "")])
    lines = stream.getvalue().splitlines()
    longest = max(len(word) for word in " ".join(ROW).split())
    assert max(map(len, lines)) <= max(columns, longest + 2)
    assert "".join(ROW[3].split()) in "".join("".join(lines).split())


def test_a_narrow_terminal_sees_a_row_as_a_stack(terminal):
    output, stream = terminal(40)
    output.table(HEAD, [ROW, ("ok", "orders", "1d", "")])
    assert stream.getvalue().splitlines() == [
        "outcome         fail",
        "export          crm-nightly",
        "every           3h",
        "what was found",
        "  run",
        "  8cdb305f-dd2e-4609-ae36-aab0d1bc52d9",
        "  ended as failed: Job aborted.",
        "",
        "outcome         ok",
        "export          orders",
        "every           1d",
    ]


def test_prose_folds_under_itself(terminal):
    output, stream = terminal(40)
    output.entry("warn  clock  ", "this machine's clock is 90 s ahead")
    output.entry("not checked  left behind           ", "needs: token")
    assert stream.getvalue().splitlines() == [
        "warn  clock  this machine's clock is 90",
        "             s ahead",
        "not checked  left behind",
        "  needs: token",
    ]


def test_a_file_gets_lines_as_long_as_they_are():
    stream = io.StringIO()
    Output(stream, as_json=False).table(HEAD, [ROW])
    assert stream.getvalue().splitlines()[1].endswith("Job aborted.")


# list


def test_the_exports_are_listed_by_name(aep_cli, specs, make_dataflow):
    aep_cli("ensure", specs("orders"))
    by_hand = make_dataflow("Adhoc")
    code, out, _ = aep_cli("list")
    assert code == 0
    first, head, *rows = out.splitlines()
    assert first == "2 exports in sandbox prod"
    assert head.split() == ["export", "owner", "state", "destination", "every", "ends", "(UTC)", "id"]
    assert re.match(rf"Adhoc +- +enabled +data_landing_zone +3h +\S+ +{by_hand}$", rows[0])
    assert re.match(r"orders +crm-team +enabled +s3 +3h +2099-06-01T00:00:00\S* ", rows[1])
    told = json.loads(aep_cli("list", "--owner", "crm-team", "--json")[1])
    assert [(one["name"], one["owner"]) for one in told["exports"]] == [("orders", "crm-team")]


def test_a_list_of_nothing_is_no_error_and_a_typo_is(aep_cli):
    assert aep_cli("list", "--name", "nothing")[:2] == (0, "0 exports in sandbox prod\n")
    code, _, err = aep_cli("list", "--destination", "s33")
    assert (code, "did you mean 's3'?" in err) == (1, True)


# completion


def completions(line: str) -> list[str]:
    """What bash offers after a line, by the script that it is given."""
    script = f"""
    export PATH={Path(sys.executable).parent}:$PATH
    source <(aep completion bash)
    COMP_LINE={line!r} COMP_POINT=${{#COMP_LINE}} COMP_TYPE=9 IFS=$'\\013'
    COMP_WORDS=($COMP_LINE)
    complete -p aep >&2 || exit 3
    export _ARGCOMPLETE=1 _ARGCOMPLETE_IFS=$'\\013' _ARGCOMPLETE_SHELL=bash COMP_LINE COMP_POINT COMP_TYPE
    aep 8>&1 9>/dev/null 1>/dev/null 2>&1
    """
    done = shell(script)
    assert done.returncode == 0, done.stderr
    return [word.strip() for word in done.stdout.split("\013") if word.strip()]


def test_bash_completes_commands_and_options():
    assert {"plan", "probe"} == set(completions("aep p"))
    assert "--with-base" in completions("aep delete nightly --")
    assert completions("aep usage --by m") == ["month"]


def test_a_value_is_completed_by_what_it_may_be_and_a_file_only_where_one_is_wanted():
    assert set(completions("aep list --destination s")) == {"s3", "sftp"}
    assert completions("aep check --policy max_dr") == ["max_drop="]
    assert completions("aep alert test --status par") == ["partial"]
    assert completions("aep plan pypr") == ["pyproject.toml"]
    assert completions("aep list --owner pypr") == completions("aep runs pypr") == []
    assert " -o default" not in shell("aep completion bash").stdout


@pytest.mark.parametrize(("name", "holds"), [("zsh", "#compdef aep"), ("fish", "complete --command aep")])
def test_zsh_and_fish_get_scripts_of_their_own(aep_cli, name, holds):
    code, out, _ = aep_cli("completion", name)
    assert (code, holds in out) == (0, True)


# Exit codes


def test_the_exit_codes_stand_in_one_table_on_the_page():
    page = PAGE.read_text()
    _, _, section = page.partition("\n## Exit codes\n")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", section.partition("\n## ")[0], re.MULTILINE))
    told = {
        command.name: " | ".join(command.exits.get(code, "") for code in (0, 1, 2)) for command in COMMANDS
    }
    assert {name: re.sub(r" +", " ", row).strip() for name, row in rows.items()} == {
        name: re.sub(r" +", " ", row).strip() for name, row in told.items()
    }


def test_help_is_a_command_too(capsys):
    for words in (["help"], ["help", "check"]):
        texts = []
        for argv in (words, [*words[1:], "--help"]):
            with pytest.raises(SystemExit) as ended:
                main(argv)
            assert ended.value.code == 0
            texts.append(capsys.readouterr().out)
        assert texts[0] == texts[1] != ""


def test_help_tells_the_exit_codes(capsys):
    with pytest.raises(SystemExit):
        main(["plan", "--help"])
    assert "Exit codes: 0: nothing would change. 1: an error. 2: something would change." in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.mark.parametrize("columns", ["0", "-5", "wide", "", "9" * 5000, "٤٠"])
def test_a_width_that_is_none_is_that_of_the_terminal(terminal, columns):
    output, stream = terminal(columns)
    output.table(["name"], [["crm"]])
    assert stream.getvalue() == "name\ncrm\n"

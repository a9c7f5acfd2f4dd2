"""The command line, in process: what it prints, where, and which exit code it ends with."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest
import yaml

from airflow_provider_aep import cli
from airflow_provider_aep.cli import commands, main, output
from airflow_provider_aep.cli.options import DEFAULT_CONN_ID, DEFAULT_OWNER
from airflow_provider_aep.cli.output import Output, one_line, printable
from airflow_provider_aep.cli.table import COMMANDS
from airflow_provider_aep.exports import spec as spec_module
from airflow_provider_aep.exports.files import load_specs
from airflow_provider_aep.exports.spec import parse_spec
from airflow_provider_aep.hooks import AepHook
from airflow_provider_aep.provider_info import get_provider_info
from tests.unit.test_import_cost import brought_in

IMPORTS = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
S3_SECRET = "S3SecretKeyS3SecretKeyS3SecretKey0123456"
SPEC = """\
name: {name}
owner: crm-team
datasets: [{{name: Loyalty Profiles}}]
destination:
  type: s3
  credentials_conn_id: crm_bucket
  params: {{bucketName: acme-exports, path: aep/crm, datasetFileType: PARQUET}}
schedule: {{every: {every}, end: 2099-06-01}}
"""


@pytest.fixture(autouse=True)
def bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    login = {"conn_type": "aws", "login": "AKIA2345ABCDEFGH2345", "password": S3_SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_CRM_BUCKET", json.dumps(login))


@pytest.fixture
def specs(tmp_path: Path) -> Callable[..., str]:
    """``specs("crm-nightly", every="6h")``: a folder with these exports."""

    def write(*names: str, every: str = "3h") -> str:
        folder = tmp_path / "specs"
        folder.mkdir(exist_ok=True)
        for name in names:
            (folder / f"{name}.yaml").write_text(SPEC.format(name=name, every=every))
        return str(folder)

    return write


@pytest.fixture
def aep_cli(aep, capsys) -> Callable[..., Any]:
    """``aep_cli("plan", path)``: exit code, standard output, standard error; without a secret in either."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        out, err = capsys.readouterr()
        for secret in (S3_SECRET, aep.client_secret):
            assert secret not in out + err
        assert "Traceback" not in out + err
        return code, out, err

    return call


def entities(aep):
    return {kind: len(aep.entities(kind)) for kind in ("flows", "connections", "sourceConnections")}


# One table of commands


def test_both_doors_lead_to_the_same_commands():
    pytest.importorskip("airflow.sdk")  # Airflow 2.11 has no door for providers
    (group,) = cli.get_cli_commands()
    assert group.name == "aep"
    assert [command.name for command in group.subcommands] == [command.name for command in COMMANDS]
    for theirs, ours in zip(group.subcommands, COMMANDS, strict=True):
        assert [one.flags for one in theirs.args] == [one.flags for one in ours.options]


def test_every_command_is_carried_out_by_a_function():
    assert all(callable(getattr(commands, f"{command.name}_command")) for command in COMMANDS)


def test_the_table_says_the_same_words_as_what_it_stands_for():
    assert AepHook.default_conn_name == DEFAULT_CONN_ID
    assert spec_module.DEFAULT_OWNER == DEFAULT_OWNER


def test_the_program_and_the_provider_info_lead_here():
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert resolve_name(project["scripts"]["aep"]) is main
    (path,) = get_provider_info()["cli"]
    assert resolve_name(path) is cli.get_cli_commands
    assert version("airflow-provider-aep")


def test_help_and_validate_get_by_without_airflow(specs):
    path = specs("crm-nightly")
    run = f"from airflow_provider_aep.cli import main; main(['validate', {path!r}, '--json'])"
    brought = brought_in(
        f"import io, sys; out, sys.stdout = sys.stdout, io.StringIO(); {run}; sys.stdout = out"
    )
    assert {name for name in brought if name.partition(".")[0] in ("airflow", "requests", "rich")} == set()


# validate


def test_good_specs_are_counted(aep_cli, specs, aep):
    code, out, _ = aep_cli("validate", specs("one", "two"))
    assert (code, out) == (0, "2 export specs, no problem\n")
    assert aep.log == []


def test_every_problem_of_every_file_is_told_by_its_place(aep_cli, specs, tmp_path):
    path = specs("one", every="0h")
    Path(path, "two.json").write_text('{"name": "two"}')
    code, out, _ = aep_cli("validate", path)
    assert code == 1
    assert f"error  {path}: one.yaml/schedule/every must be one of" in out
    assert f"error  {path}: two.json/datasets is missing" in out
    assert out.endswith("4 problems\n")


def test_specs_of_two_paths_must_go_together(aep_cli, specs, tmp_path):
    one, other = specs("one"), tmp_path / "again.yaml"
    other.write_text(SPEC.format(name="one", every="3h"))
    code, out, _ = aep_cli("validate", one, str(other), "--json")
    assert code == 1
    assert "in use at" in json.loads(out)["problems"][0]["message"]


def test_what_is_probably_not_meant_is_a_warning(aep_cli, tmp_path):
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC.format(name="one", every="3h").replace(", end: 2099-06-01", ""))
    code, out, _ = aep_cli("validate", str(file))
    assert code == 0
    assert out.startswith("warn   one: schedule: no end is given")


# plan


def test_a_plan_tells_what_would_happen_and_does_nothing(aep_cli, specs, aep):
    code, out, err = aep_cli("plan", specs("one", "two"))
    assert code == 2
    assert "one in sandbox prod\n  create   base connection" in out
    assert out.endswith("\n2 to create, 0 to update, 0 to replace, 0 unchanged\n")
    assert "\x1b" not in out + err
    assert entities(aep)["flows"] == 0


def test_a_plan_of_what_is_there_already_ends_with_zero(aep_cli, specs):
    aep_cli("ensure", specs("one"))
    code, out, _ = aep_cli("plan", specs("one"))
    assert code == 0
    assert out.endswith("0 to create, 0 to update, 0 to replace, 1 unchanged\n")


def test_a_plan_warns_of_a_cadence_that_no_document_names(aep_cli, specs):
    code, out, _ = aep_cli("plan", specs("often", every="2h"))
    assert code == 2
    assert "\n  warn     schedule: the flow spec does not say whether every: 2h is allowed" in out


def test_a_name_that_is_not_listed_may_be_one_that_a_label_hides(aep_cli, specs, aep):
    aep.enter("labels-hide-a-dataset")
    path = specs()
    Path(path, "one.yaml").write_text(
        SPEC.format(name="one", every="3h").replace("Loyalty Profiles", "CRM Profiles")
    )
    code, out, _ = aep_cli("plan", path)
    assert code == 1
    assert "/datasets/0 names no dataset that can be exported" in out
    assert "or an access label hides it from the credential" in out


def test_a_spec_that_cannot_be_planned_is_told_among_the_others(aep_cli, specs):
    path = specs("good")
    bad = SPEC.format(name="bad", every="3h").replace("Loyalty Profiles", "No such dataset")
    Path(path, "bad.yaml").write_text(bad)
    code, out, _ = aep_cli("plan", path)
    assert code == 1
    assert "bad\n  error    1 problem with the datasets" in out
    assert "good in sandbox prod" in out
    assert out.endswith("1 to create, 0 to update, 0 to replace, 0 unchanged, 1 failed\n")


def test_json_is_one_document_and_alone_on_standard_output(aep_cli, specs):
    code, out, _ = aep_cli("plan", specs("one"), "--json")
    told = json.loads(out)
    assert code == 2
    assert told["summary"] == {"create": 1, "update": 0, "replace": 0, "unchanged": 0, "failed": 0}
    assert told["plans"][0]["steps"][0]["action"] == "create"


def test_a_plan_can_be_agreed_to_and_is_refused_when_things_have_changed(aep_cli, specs, tmp_path, aep):
    file = str(tmp_path / "plan.json")
    aep_cli("plan", specs("one"), "--out", file)
    assert aep_cli("ensure", specs("one"), "--plan", file)[0] == 0
    assert aep_cli("ensure", specs("one"), "--plan", file)[0] == 0
    assert entities(aep)["flows"] == 1
    code, out, _ = aep_cli("ensure", specs("one", "two"), "--plan", file)
    assert code == 1
    assert "have changed since the plan was made" in out
    assert entities(aep)["flows"] == 1


def test_plans_of_two_sandboxes_with_one_name_go_apart(aep_cli, specs, tmp_path, aep):
    path, file = specs("one"), str(tmp_path / "plan.json")
    Path(path, "dev.yaml").write_text(SPEC.format(name="one", every="6h") + "sandbox: dev\n")
    aep_cli("plan", path, "--out", file)
    code, _, _ = aep_cli("ensure", path, "--plan", file)
    assert code == 0
    assert len(aep.entities("flows", "prod")) == len(aep.entities("flows", "dev")) == 1


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format": 2, "plans": []}', '{"format": 1, "plans": [1]}']
)
def test_a_file_that_holds_no_plans_is_refused(aep_cli, specs, tmp_path, content):
    file = tmp_path / "plan.json"
    file.write_text(content)
    code, _, err = aep_cli("ensure", specs("one"), "--plan", str(file))
    assert (code, err) == (1, f"aep: {file} is not a file of plans as `plan --out` writes it\n")


# ensure


def test_ensuring_tells_a_line_for_each_export(aep_cli, specs, aep):
    code, out, _ = aep_cli("ensure", specs("one", "two"))
    assert code == 0
    lines = out.splitlines()
    assert [line.partition(":")[0] for line in lines[:2]] == ["one", "two"]
    assert lines[-1] == "2 changed, 0 unchanged, 0 failed"
    assert entities(aep) == {"flows": 2, "connections": 2, "sourceConnections": 2}


def test_what_must_be_replaced_needs_a_word(aep_cli, specs, aep):
    path = specs("one")
    aep_cli("ensure", path)
    other = next(one.name for one in aep.datasets() if one.name != "Loyalty Profiles")
    file = Path(path, "one.yaml")
    file.write_text(file.read_text().replace("Loyalty Profiles", other))
    code, out, _ = aep_cli("ensure", path)
    assert (code, "FAILED" in out) == (1, True)
    assert aep_cli("ensure", path, "--allow-replace")[0] == 0


def test_an_attempt_that_fails_can_be_rolled_back(aep_cli, specs, aep):
    aep.fail_next(400, match="POST /flows", body={"errorMessage": "no"})
    code, out, _ = aep_cli("ensure", specs("one"), "--rollback-on-failure", "--json")
    assert code == 1
    assert json.loads(out)["exports"][0]["error"]
    assert entities(aep) == {"flows": 0, "connections": 0, "sourceConnections": 0}


def test_a_login_can_be_sent_again(aep_cli, specs, aep):
    aep_cli("ensure", specs("one"))
    assert aep_cli("plan", specs("one"), "--rotate-credentials")[0] == 2
    aep.log.clear()
    assert aep_cli("ensure", specs("one"), "--rotate-credentials")[0] == 0
    assert [one.path.split("/")[1] for one in aep.requests("PATCH")] == ["connections"]


# delete


def test_nothing_is_deleted_unasked(aep_cli, specs, aep, monkeypatch):
    aep_cli("ensure", specs("one"))
    code, _, err = aep_cli("delete", "one", "--owner", "crm-team")
    assert (code, "Give --yes" in err) == (1, True)
    monkeypatch.setattr(sys, "stdin", terminal("n\n"))
    code, _, err = aep_cli("delete", "one", "--owner", "crm-team")
    assert (code, "'one' of owner crm-team in sandbox prod" in err) == (1, True)
    assert entities(aep)["flows"] == 1
    monkeypatch.setattr(sys, "stdin", terminal("y\n"))
    assert aep_cli("delete", "one", "--owner", "crm-team")[0] == 0
    assert entities(aep) == {"flows": 0, "connections": 1, "sourceConnections": 0}


def test_the_base_connection_goes_when_asked(aep_cli, specs, aep):
    path = specs("one", "two")
    aep_cli("ensure", path)
    code, out, _ = aep_cli("delete", path, "--with-base", "--yes")
    assert (code, out.count("deleted dataflow")) == (0, 2)
    assert sum(entities(aep).values()) == 0
    code, out, _ = aep_cli("delete", path, "--yes")
    assert (code, "one: nothing to delete" in out) == (0, True)


def test_a_name_that_no_export_has_is_an_error(aep_cli, specs, aep):
    aep_cli("ensure", specs("nightly"))
    code, out, _ = aep_cli("delete", "nihgtly", "--owner", "crm-team", "--yes")
    assert (code, "names no export of crm-team in this sandbox (did you mean 'nightly'?)" in out) == (1, True)
    assert aep_cli("delete", "nihgtly", "--yes", "--leftovers-only")[0] == 1
    code, out, _ = aep_cli("delete", "nihgtly", "--yes", "--ignore-not-found")
    assert (code, out) == (0, "nihgtly: nothing to delete\n")
    assert entities(aep)["flows"] == 1


def test_leftovers_go_alone(aep_cli, specs, aep):
    aep_cli("ensure", specs("one"))
    code, out, _ = aep_cli("delete", "one", "--owner", "crm-team", "--leftovers-only", "--yes", "--json")
    assert (code, json.loads(out)["exports"][0]["deleted"]) == (0, [])
    assert entities(aep)["flows"] == 1


def test_the_export_of_another_owner_is_not_deleted(aep_cli, specs, aep):
    aep_cli("ensure", specs("one"))
    code, out, _ = aep_cli("delete", "one", "--yes")
    assert (code, "belong to somebody else" in out) == (1, True)
    assert "See whose they are with `aep list`, and name that owner" in out
    assert entities(aep)["flows"] == 1


# runs


def test_runs_are_told_newest_first_with_their_verdicts(aep_cli, make_dataflow, aep, clock):
    dataflow_id = make_dataflow("nightly")
    clock.advance(2 * 3600)
    for kind in ("success", "zero", "failed"):
        aep.script_runs(dataflow_id, [kind])
        aep.run_now(dataflow_id)
        clock.advance(1000)
    aep.script_runs(dataflow_id, ["in_progress"])
    aep.run_now(dataflow_id)
    code, out, _ = aep_cli("runs", "nightly", "--limit", "4")
    assert code == 0
    told = [line for line in out.splitlines() if " -> " in line or "running" in line]
    statuses = [
        word for line in told for word in ("running", "failed", "zero_records", "success") if word in line
    ]
    assert statuses == ["running", "failed", "zero_records", "success"]
    told = json.loads(aep_cli("runs", dataflow_id, "--limit", "1", "--json")[1])
    assert [one["verdict"] for one in told["runs"]] == ["running"]


def test_runs_since_a_moment(aep_cli, make_dataflow, aep, clock, now):
    dataflow_id = make_dataflow("nightly")
    aep.run_now(dataflow_id)
    clock.advance(3000)
    aep.run_now(dataflow_id)
    since = str(int(now.timestamp()) + 1000)
    told = json.loads(aep_cli("runs", "nightly", "--since", since, "--json")[1])
    assert len(told["runs"]) == 1
    told = json.loads(aep_cli("runs", "nightly", "--since", "2020-01-01", "--limit", "1", "--json")[1])
    assert len(told["runs"]) == 1
    assert aep_cli("runs", "nightly", "--since", "yesterday")[0] == 1
    assert aep_cli("runs", "nightly", "--limit", "0")[0] == 1


def test_an_ambiguous_name_is_answered_with_the_ids(aep_cli, make_dataflow):
    ids = [make_dataflow("twin"), make_dataflow("twin")]
    code, _, err = aep_cli("runs", "twin")
    assert code == 1
    assert all(one in err for one in ids)


# import


def test_an_imported_spec_can_be_planned_and_ensured(aep_cli, make_dataflow, aep, tmp_path):
    dataflow_id = make_dataflow("by-hand")
    file = tmp_path / "by-hand.yaml"
    code, out, _ = aep_cli("import", "by-hand", "--owner", "crm-team", "--output", str(file))
    assert (code, out) == (0, f"wrote 1 export spec to {file}\n")
    code, out, _ = aep_cli("plan", str(file))
    assert (code, "owner: crm-team" in out) == (2, True)
    assert aep_cli("ensure", str(file))[0] == 0
    assert aep_cli("plan", str(file))[0] == 0
    assert [flow["id"] for flow in aep.entities("flows")] == [dataflow_id]
    code, _, err = aep_cli("import", "by-hand", "--output", str(file))
    assert (code, "is not overwritten" in err) == (1, True)


def test_a_spec_on_standard_output_names_the_export_that_it_was_imported_from(
    aep_cli, make_dataflow, tmp_path
):
    # A terminal must not print these letters; in their place a "?" would rename the export.
    make_dataflow("rtl \u202etxt\u200b\xa0")
    code, out, _ = aep_cli("import", "--all")
    assert code == 0
    assert out.isascii()
    file = tmp_path / "imported.yaml"
    file.write_text(out)
    (spec,) = load_specs(file)
    assert spec["name"] == "rtl \u202etxt\u200b\xa0"


def test_an_import_of_nothing_says_so(aep_cli, aep, tmp_path):
    code, out, err = aep_cli("import", "--all", "--output", str(tmp_path / "all.yaml"))
    assert (code, out, err) == (0, "", "aep: sandbox prod has no dataset export to import\n")


def test_imported_specs_go_to_standard_output(aep_cli, make_dataflow):
    make_dataflow("one")
    make_dataflow("two")
    code, out, _ = aep_cli("import", "--all")
    assert code == 0
    assert {parse_spec(one).name for one in yaml.safe_load_all(out)} == {"one", "two"}
    told = json.loads(aep_cli("import", "one", "--json")[1])
    assert [one["name"] for one in told["exports"]] == ["one"]


@pytest.mark.parametrize("arguments", [(), ("one", "--all")])
def test_one_export_or_all_must_be_asked_for(aep_cli, arguments):
    code, _, err = aep_cli("import", *arguments)
    assert (code, err) == (1, "aep: give the name or the id of one export, or --all\n")


# destinations


def test_the_destinations_are_listed_with_logins_parameters_and_ids(aep_cli):
    code, out, _ = aep_cli("destinations")
    assert code == 0
    assert out.startswith("s3\n  title            Amazon S3\n")
    assert "  flow spec        269ba276-16fc-47db-92b0-c1049a3c131f\n" in out
    assert (
        "  login            Access Key: s3AccessKey*, s3SecretKey*\n  login            Assumed Role: s3Role*"
        in out
    )
    assert "Marketo Measure Ultimate (known from its spec alone)\n" in out
    assert out.endswith("7 destinations; what is required has a *\n")


def test_the_destinations_are_a_document_too(aep_cli):
    code, out, _ = aep_cli("destinations", "--json")
    assert code == 0
    assert [one["name"] for one in json.loads(out)["destinations"]][:2] == ["s3", "azure_blob"]


def test_a_spec_that_cannot_be_read_is_a_failure_and_hides_nothing(aep_cli, aep):
    aep.withdraw("4fce964d-3f37-408f-9778-e597338a21ee")
    code, out, _ = aep_cli("destinations")
    assert code == 1
    assert "  error            its connection spec is offered no more (HTTP 404)\n" in out
    assert "7 destinations" in out


# All of them


@pytest.mark.parametrize("command", ["plan", "ensure"])
def test_an_error_is_one_line(aep_cli, specs, command):
    code, out, err = aep_cli(command, specs("one"), "--conn-id", "nobody")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("aep: Airflow connection 'nobody' cannot be read")


def test_an_error_is_a_document_too(aep_cli):
    _, out, _ = aep_cli("plan", "/nowhere", "--json")
    assert json.loads(out) == {"error": "export specs /nowhere: does not exist"}


def test_the_sandbox_of_the_call_comes_before_that_of_the_connection(aep_cli, specs, aep):
    aep_cli("ensure", specs("one"), "--sandbox", "dev")
    assert (len(aep.entities("flows", "prod")), len(aep.entities("flows", "dev"))) == (0, 1)


def test_wrong_usage_is_no_plan_that_changes_something(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["plan", "--bogus"])
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("usage: aep plan")


def test_what_others_print_is_no_result(specs):
    noisy = (
        "import os, sys; from airflow_provider_aep.cli import commands, main\n"
        "quiet, early = commands.validate_command, sys.stdout\n"
        "def noise(*given):\n"
        "    print('noise'); early.write('noise\\n'); os.write(1, b'noise\\n')\n"
        "    return quiet(*given)\n"
        "commands.validate_command = noise\n"
        f"code = main(['validate', {specs('one')!r}, '--json']); print('after'); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", noisy], capture_output=True, text=True, check=True, env=IMPORTS
    )
    document, after = done.stdout.rsplit("}", 1)
    assert json.loads(document + "}")["ok"]
    assert after == "\nafter\n"
    assert done.stderr.count("noise") == 3


def test_a_terminal_sees_a_bar_and_then_the_results(aep_cli, specs, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    code, out, err = aep_cli("ensure", specs("one"))
    assert (code, out.count("one: created"), "ensuring" in err) == (0, 1, True)


def test_ctrl_c_says_so(aep_cli, monkeypatch, specs):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "validate_command", interrupted)
    assert aep_cli("validate", specs("one")) == (130, "", "aep: interrupted\n")


def test_a_reader_that_goes_away_stops_nothing(aep, specs, monkeypatch):
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    assert main(["ensure", specs("one", "two")]) == 0
    assert entities(aep)["flows"] == 2


def test_colours_are_for_terminals_that_want_them(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = terminal("")
    Output(stream, as_json=False).line("  create   dataflow", word="create")
    assert stream.getvalue() == "  \x1b[32mcreate\x1b[0m   dataflow\n"
    monkeypatch.setenv("NO_COLOR", "1")
    plain = terminal("")
    Output(plain, as_json=False).line("  create   dataflow", word="create")
    assert plain.getvalue() == "  create   dataflow\n"


def test_a_name_from_a_sandbox_moves_no_cursor():
    assert printable("evil\x1b[2Jname") == "evil?[2Jname"
    assert one_line(ValueError("two\nlines")) == "ValueError: two lines"
    assert output.COLOURS["create"]


def terminal(text: str) -> io.StringIO:
    stream = io.StringIO(text)
    stream.isatty = lambda: True  # type: ignore[method-assign]
    return stream

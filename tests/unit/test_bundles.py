"""Where the path of a spec starts, whatever the DAG file is a link to."""

from __future__ import annotations

import pytest

from airflow_provider_aep.errors import AepConfigError
from airflow_provider_aep.operators.bundles import load_bundled_specs
from tests.unit.test_cli import SPEC


@pytest.fixture
def dags(tmp_path, monkeypatch):
    folder = tmp_path / "dags"
    folder.mkdir()
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(folder))
    return folder


def names(path, dag_file) -> list[str]:
    return [one["name"] for one in load_bundled_specs(path, dag_file=str(dag_file))]


def write(path, name):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SPEC.format(name=name, every="3h"))


def test_a_spec_beside_a_linked_dag_file_is_found(dags):
    """As Kubernetes mounts a ConfigMap: g.py -> ..data/g.py, ..data -> ..2026_11_29."""
    (dags / "..2026_11_29").mkdir()
    (dags / "..2026_11_29" / "g.py").touch()
    (dags / "..data").symlink_to("..2026_11_29")
    (dags / "g.py").symlink_to("..data/g.py")
    write(dags / "exports" / "orders.yaml", "beside the link")
    assert names("exports/orders.yaml", dags / "g.py") == ["beside the link"]
    write(dags / "..2026_11_29" / "own.yaml", "beside the file")
    assert names("own.yaml", dags / "g.py") == ["beside the file"]


def test_a_spec_beside_a_link_that_leaves_the_bundle_is_found_too(dags, tmp_path):
    write(tmp_path / "mounted" / "orders.yaml", "mounted")
    (tmp_path / "mounted" / "g.py").touch()
    (dags / "g.py").symlink_to(tmp_path / "mounted" / "g.py")
    assert names("orders.yaml", dags / "g.py") == ["mounted"]
    write(dags / "orders.yaml", "beside the link")
    assert names("orders.yaml", dags / "g.py") == ["beside the link"]


def test_a_link_opens_no_way_out_of_the_bundle(dags, tmp_path):
    write(tmp_path / "elsewhere.yaml", "elsewhere")
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "g.py").touch()
    (dags / "g.py").symlink_to(tmp_path / "real" / "g.py")
    (dags / "linked.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    for path in ("../elsewhere.yaml", "linked.yaml", str(tmp_path / "elsewhere.yaml")):
        with pytest.raises(AepConfigError, match="leads outside"):
            names(path, dags / "g.py")


@pytest.mark.parametrize("path", ["nowhere.yaml", "a\0b.yaml", "x" * 5000 + ".yaml"])
def test_a_spec_that_is_nowhere_is_told(dags, path):
    (dags / "g.py").touch()
    with pytest.raises(AepConfigError, match=r"does not exist|cannot be read"):
        names(path, dags / "g.py")

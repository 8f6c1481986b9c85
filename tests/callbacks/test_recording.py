"""What a run notes of the machine and of the code it ran."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ae_lightning.callbacks.recording import git_tags, installed_packages


@pytest.fixture
def packages_of(tmp_path, monkeypatch):
    """Return what is installed with folders of packages, by their names and metadata, before all others."""

    def found(*places):
        for number, infos in enumerate(places):
            for name, metadata in infos.items():
                folder = tmp_path / str(number) / f"{name}.dist-info"
                folder.mkdir(parents=True)
                if metadata is not None:
                    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\n{metadata}")
        monkeypatch.setattr(sys, "path", [*(str(tmp_path / str(i)) for i in range(len(places))), *sys.path])
        installed_packages.cache_clear()
        return installed_packages()

    yield found
    monkeypatch.undo()
    installed_packages.cache_clear()


def test_of_a_package_that_is_there_twice_the_version_is_the_one_that_python_imports(packages_of):
    first, second = ({f"numpy-{version}": f"Name: numpy\nVersion: {version}\n"} for version in ("99.1", "99.2"))
    assert packages_of(first, second)["numpy"] == "99.1"


@pytest.mark.parametrize("finder", ["of Python", "of importlib_metadata"])
@pytest.mark.parametrize("metadata", [None, "Version: 1.0\n"])
def test_a_package_without_a_name_is_left_out(packages_of, metadata, finder):
    if finder == "of importlib_metadata":
        # Once a library has imported it, it finds packages beside Python's own, and raises more.
        pytest.importorskip("importlib_metadata")
    found = packages_of({"gone-1.0": metadata})
    assert all(isinstance(name, str) for name in found)
    assert "torch" in found


def test_where_git_cannot_tell_of_changes_nothing_is_said_of_them(bare_workspace):
    assert git_tags() == {}
    me = ("-c", "user.name=me", "-c", "user.email=me@localhost")
    for arguments in (("init", "--quiet"), (*me, "commit", "--allow-empty", "--quiet", "--message", "first")):
        subprocess.run(["git", *arguments], check=True)
    assert git_tags()["git.dirty"] == "False"
    (bare_workspace.folder / "new.py").touch()
    assert git_tags()["git.dirty"] == "True"
    (bare_workspace.folder / ".git" / "index").write_bytes(b"damaged")
    assert git_tags().keys() == {"mlflow.source.git.commit"}

"""What is written where, for every kind and any length of the name; nothing that was there is touched."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import blastbeat
from blastbeat.errors import BlastBeatError
from blastbeat.new_plugin import KINDS, derive_names, write_distribution
from blastbeat.new_plugin.writing import render

COMMON = {
    ".github/workflows/test.yml",
    ".gitignore",
    "LICENSE",
    "README.md",
    "blastbeat.toml",
    "pyproject.toml",
    "src/blastbeat_geo/__init__.py",
    "src/blastbeat_geo/py.typed",
    "tests/test_geo.py",
    "tests/test_server.py",
}


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_it_is_complete(kind: str) -> None:
    assert set(render(derive_names("geo", kind), 2026)) >= COMMON


def test_nothing_is_left_to_fill_in(kind: str) -> None:
    for path, text in render(derive_names("geo", kind), 2026).items():
        assert not re.search(r"@[A-Z]+@", path + text), path
        assert text.endswith("\n") or not text, path


def test_the_project_file_says_what_it_is(kind: str) -> None:
    names = derive_names("geo", kind)
    project = tomllib.loads(render(names, 2026)["pyproject.toml"])["project"]
    assert project["name"] == "blastbeat-geo"
    assert project["entry-points"]["blastbeat"] == {"geo": names.entry}
    assert project["dependencies"] == [f"blastbeat>={blastbeat.__version__}"]
    assert project["optional-dependencies"]["test"] == ["blastbeat[testing]"]
    assert 20 < len(project["description"]) < 120 and project["description"].endswith(".")


def test_the_source_says_which_api_it_was_written_for(kind: str) -> None:
    source = render(derive_names("geo", kind), 2026)["src/blastbeat_geo/__init__.py"]
    assert f"blastbeat_api = {blastbeat.API_VERSION}" in source
    assert ast.get_docstring(ast.parse(source))


def test_the_license_has_the_year_and_whose_it_is(kind: str) -> None:
    text = render(derive_names("geo", kind), 2031)["LICENSE"]
    assert "Copyright (c) 2031 the authors of blastbeat-geo\n" in text


def test_the_readme_shows_each_option_and_how_to_test(kind: str) -> None:
    texts = render(derive_names("geo", kind), 2026)
    options = re.findall(r"options=\{(.*)\}", texts["src/blastbeat_geo/__init__.py"])
    for option in re.findall(r'"([\w-]+)":', "".join(options)):
        assert f"| `{option}` |" in texts["README.md"]
    assert "python -m pytest" in texts["README.md"] and "pip install blastbeat-geo" in texts["README.md"]


@pytest.mark.parametrize("name", ["x", "zz", "abcdefgh-ijklmnop-qrstuvwx-yzabc"])
def test_a_linter_has_nothing_to_say_whatever_the_length_of_the_name(name: str, tmp_path: Path) -> None:
    for kind in KINDS:
        write_distribution(derive_names(name, kind), tmp_path / kind, 2026)
    for arguments in (["check"], ["format", "--check", "--diff"]):
        command = [sys.executable, "-m", "ruff", *arguments, "--no-cache", "--quiet", "."]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=15)
        assert done.returncode == 0, done.stdout + done.stderr


# ---------------------------------------------------------------- writing


def test_it_is_written_into_a_folder_of_its_own(tmp_path: Path) -> None:
    names = derive_names("geo", "filter")
    folder = write_distribution(names, tmp_path / "not" / "there", 2026)
    assert folder == tmp_path / "not" / "there" / "blastbeat-geo"
    written = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert written == set(render(names, 2026))
    for path, text in render(names, 2026).items():
        assert (folder / path).read_text(encoding="utf-8") == text


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "blastbeat-geo").mkdir()
    with pytest.raises(BlastBeatError, match="blastbeat-geo is there already, and is left as it is"):
        write_distribution(derive_names("geo", "filter"), tmp_path, 2026)
    assert not list((tmp_path / "blastbeat-geo").iterdir())


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BlastBeatError, match="file is no folder"):
        write_distribution(derive_names("geo", "filter"), tmp_path / "file", 2026)
    with pytest.raises(BlastBeatError, match="can't be made"):
        write_distribution(derive_names("geo", "filter"), tmp_path / "file" / "below", 2026)
    assert (tmp_path / "file").read_text() == "mine"


def test_what_was_begun_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_text(self: Path, *arguments: object, **options: object) -> int:
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_text", write_text)
    with pytest.raises(BlastBeatError, match="can't be written: No space left on device"):
        write_distribution(derive_names("geo", "filter"), tmp_path, 2026)
    assert not list(tmp_path.iterdir())

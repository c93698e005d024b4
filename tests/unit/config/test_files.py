"""Where a configuration is looked for, which notation it is read in, and what `include` brings in."""

from __future__ import annotations

from pathlib import Path

import pytest

from blastbeat.config.files import MAX_BYTES, find_config, is_toml, read_files
from blastbeat.config.rows import Document
from blastbeat.errors import ConfigError, Problem


def read(path: Path) -> Document:
    return read_files(path, {})


def only_problem(path: Path) -> Problem:
    (problem,) = read(path).problems
    return problem


def test_the_argument_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    named = tmp_path / "mine.ini"
    other = tmp_path / "other.toml"

    for path in (named, other, tmp_path / "blastbeat.ini", tmp_path / "blastbeat.toml"):
        path.touch()

    environ = {"BLASTBEAT_CONFIG": str(other)}
    assert find_config(str(named), environ) == named
    assert find_config(None, environ) == other
    assert find_config(None, {}) == Path("blastbeat.toml")
    (tmp_path / "blastbeat.toml").unlink()
    assert find_config(None, {"BLASTBEAT_CONFIG": ""}) == Path("blastbeat.ini")


def test_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("blastbeat.config.files.SEARCHED", ("blastbeat.toml", "/nowhere/blastbeat.toml"))

    with pytest.raises(ConfigError, match=r"\./blastbeat\.toml, /nowhere/blastbeat\.toml.*BLASTBEAT_CONFIG"):
        find_config(None, {})
    with pytest.raises(ConfigError, match=r"mine\.toml: error: there is no such file"):
        find_config("mine.toml", {})
    with pytest.raises(ConfigError, match=r"theirs\.toml: .*BLASTBEAT_CONFIG names it"):
        find_config(None, {"BLASTBEAT_CONFIG": "theirs.toml"})
    with pytest.raises(ConfigError, match="no such file"):
        find_config("a\0b", {})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.toml", True),
        ("a.TOML", True),
        ("blastbeat.toml.example", True),
        ("a.ini", False),
        ("a.toml.ini", False),
        ("a.conf", False),
        ("blastbeat", False),
    ],
)
def test_the_notation_is_in_the_name(name: str, expected: bool) -> None:
    assert is_toml(Path(name)) is expected


@pytest.mark.parametrize("name", ["a.ini", "a.toml"])
def test_byte_order_mark_and_line_ends_of_other_systems(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"\xef\xbb\xbf[blastbeat]\r\nsessions = 5\r\n")

    (section,) = read(path).sections

    assert [(row.key, str(row.value), row.line) for row in section.rows] == [("sessions", "5", 2)]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    latin = tmp_path / "latin.ini"
    latin.write_bytes(b"; \xe9\n")
    huge = tmp_path / "huge.ini"
    with huge.open("wb") as opened:
        opened.truncate(MAX_BYTES + 1)

    assert "is not UTF-8 (byte 2)" in only_problem(latin).message
    assert "is larger than 16 MiB" in only_problem(huge).message
    assert "cannot be read: Is a directory" in only_problem(tmp_path).message
    assert "cannot be read: No such file" in only_problem(tmp_path / "none.toml").message


def test_include_in_alphabetical_order_and_relative(tmp_path: Path) -> None:
    parts = tmp_path / "conf.d"
    parts.mkdir()
    for name in ("b.toml", "a.toml", "c.ini", "ignored.txt"):
        (parts / name).write_text("[blastbeat:c]\n" if name == "c.ini" else f'[vhost."{name[0]}"]\n')
    (parts / "b.toml").write_text('include = "more/d.toml"\n[vhost."b"]\n')
    (parts / "more").mkdir()
    (parts / "more" / "d.toml").write_text('[vhost."d"]\n')
    main = tmp_path / "main.toml"
    main.write_text('include = ["conf.d/*.toml", "conf.d/*.ini", "none.d/*.toml"]\n[blastbeat]\n')

    document = read(main)

    assert document.problems == []
    assert [section.name for section in document.sections] == ["", "a", "b", "d", "c"]
    assert document.sections[3].file == str(parts / "more" / "d.toml")


def test_include_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    main = tmp_path / "main.toml"
    main.write_text('include = [\n"none.toml"]\n')

    problem = only_problem(main)

    assert "none.toml cannot be read: No such file" in problem.message
    assert (problem.file, problem.line, problem.key, problem.value) == (str(main), 2, "include", "none.toml")


def test_include_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('include = "b.toml"\n')
    (tmp_path / "b.toml").write_text('include = "a.toml"\n')

    problem = only_problem(tmp_path / "a.toml")

    assert "includes itself" in problem.message
    assert problem.file == str(tmp_path / "b.toml")


def test_include_of_the_same_file_twice(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('include = ["b.toml", "./b.toml"]\n')
    (tmp_path / "b.toml").write_text('[vhost."b"]\n')

    assert f"already included by {tmp_path / 'a.toml'}:1" in only_problem(tmp_path / "a.toml").message


@pytest.mark.parametrize("written", ["5", "{ a = 1 }", '"a\\u0000b"', '"\\u0000*"'])
def test_include_of_what_is_no_file_name(tmp_path: Path, written: str) -> None:
    (tmp_path / "a.toml").write_text(f"include = [{written}]\n")

    assert "is not a file name" in only_problem(tmp_path / "a.toml").message


def test_a_section_stands_once_in_all_files(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('include = "b.ini"\n[vhost."a"]\n')
    (tmp_path / "b.ini").write_text("[blastbeat:a]\nnode = x\n[blastbeat:c]\n[blastbeat:c]\n")

    first, second = read(tmp_path / "a.toml").problems

    assert f"already given at {tmp_path / 'a.toml'}:2" in first.message
    assert (first.file, first.line) == (str(tmp_path / "b.ini"), 1)
    assert (second.section, second.line) == ("blastbeat:c", 4)

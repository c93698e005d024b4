"""Whatever a file holds, reading it ends in a configuration or in problems, never in anything else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tomli
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from blastbeat.config import examine
from blastbeat.config.model import Config
from blastbeat.config.options import PLUGINS_KEYS, SERVER_KEYS, VIRTUALHOST_KEYS
from blastbeat.config.toml_lines import locate_keys
from blastbeat.errors import Problem

KEYS = sorted({*SERVER_KEYS, *VIRTUALHOST_KEYS, *PLUGINS_KEYS, "include", "route", "x"})
FRAGMENTS = [
    "[blastbeat]",
    "[blastbeat:a]",
    "[blastbeat:a:80]",
    '[vhost."a:80"]',
    "[vhost.a.b]",
    "[plugins]",
    "[plugin.x]",
    "[[plugin.y]]",
    "[",
    "]",
    "=",
    " = ",
    "\n",
    "\r\n",
    '"',
    '"""',
    "'''",
    "\\",
    ";",
    "#",
    "${",
    "$${",
    "${X}",
    "{ name = 'a' }",
    "127.0.0.1:80",
    "tcp://127.0.0.1:5000",
    "[::1%x]:80",
    "5s",
    "8MiB",
    "*",
    "0x" + "F" * 5000,
    "1979-05-27",
    "nan",
    "true",
    *KEYS,
]
texts = st.one_of(st.text(), st.lists(st.sampled_from(FRAGMENTS)).map("".join))
words = st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=20))
scalars = st.one_of(words, st.integers(), st.floats(), st.booleans())


def examine_bytes(folder: Path, name: str, data: bytes) -> tuple[Config | None, list[Problem]]:
    path = folder / name
    path.write_bytes(data)
    return examine(path, environ={"X": "x"}, known={"selector": ["least-connections"]})


def check_outcome(outcome: tuple[Config | None, list[Problem]]) -> None:
    config, problems = outcome
    assert (config is None) == any(problem.severity == "error" for problem in problems)
    for problem in problems:
        assert str(problem).isprintable()
        assert problem.file


# The folder is shared by the runs of one test on purpose: each overwrites the one file.
quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.mark.parametrize("name", ["a.ini", "a.toml"])
@quick
@given(text=texts)
@example(text="[blastbeat]\nbind = 0x" + "F" * 20_000)
@example(text="[blastbeat]\nbind = " + "9" * 20_000)
@example(text="a = " + "[" * 20_000)
def test_any_text(tmp_path: Path, name: str, text: str) -> None:
    check_outcome(examine_bytes(tmp_path, name, text.encode(errors="surrogatepass")))


@pytest.mark.parametrize("name", ["a.ini", "a.toml"])
@quick
@given(data=st.binary())
def test_any_bytes(tmp_path: Path, name: str, data: bytes) -> None:
    check_outcome(examine_bytes(tmp_path, name, data))


def toml_literal(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_literal, value)) + "]"
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{json.dumps(key)} = {toml_literal(item)}" for key, item in value.items()) + "}"
        )
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value).replace("\x7f", "\\u007f")


values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "a"]), inner, max_size=2)
    ),
    max_leaves=5,
)


@quick
@given(
    server=st.dictionaries(st.sampled_from(KEYS), values, max_size=8),
    virtualhost=st.dictionaries(st.sampled_from(KEYS), values, max_size=8),
    name=words,
)
def test_any_value_for_any_key(
    tmp_path: Path, server: dict[str, object], virtualhost: dict[str, object], name: str
) -> None:
    lines = ["[blastbeat]", *(f"{key} = {toml_literal(value)}" for key, value in server.items())]
    lines += [f"[vhost.{json.dumps(name)}]"]
    lines += [f"{key} = {toml_literal(value)}" for key, value in virtualhost.items()]

    check_outcome(examine_bytes(tmp_path, "a.toml", "\n".join(lines).encode(errors="replace")))


@quick
@given(
    given_values=st.lists(st.tuples(st.sampled_from(sorted(SERVER_KEYS)), words), max_size=8),
    name=words,
)
def test_both_notations_say_the_same(tmp_path: Path, given_values: list[tuple[str, str]], name: str) -> None:
    # What ini cannot write, or takes for a comment or quotes, is not the question here.
    plain = {
        key: value.strip()
        for key, value in given_values
        if value.isprintable() and not set(value) & set(";#\"'\\$\ud800") and value.isascii()
    }
    ini = ["[blastbeat]", *(f"{key} = {value}" for key, value in plain.items())]
    toml = ["[blastbeat]", *(f"{key} = {json.dumps(value)}" for key, value in plain.items())]

    first, first_problems = examine_bytes(tmp_path, "a.ini", "\n".join(ini).encode())
    second, second_problems = examine_bytes(tmp_path, "a.toml", "\n".join(toml).encode())

    assert (first and first.server) == (second and second.server)
    assert [(it.line, it.key, it.value, it.message) for it in first_problems] == [
        (it.line, it.key, it.value, it.message) for it in second_problems
    ]


@quick
@given(text=texts)
def test_lines_are_found_in_any_text_and_all_of_them_in_toml(text: str) -> None:
    lines = locate_keys(text)

    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())
    try:
        tables = tomli.loads(text)
    except (ValueError, RecursionError):
        return
    assert set(paths_in(tables, ())) <= set(lines)


def paths_in(value: object, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    items: list[tuple[str, object]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = [(str(index), item) for index, item in enumerate(value)]
    found = [path] if path else []
    for key, item in items:
        found += paths_in(item, (*path, key))
    return found

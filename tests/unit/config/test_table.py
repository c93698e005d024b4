"""One table of a TOML file: values with their lines, and what is told of a file that can't be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from blastbeat.config.table import Value, read_table
from blastbeat.errors import ConfigError


def test_values_come_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text('[other]\na = 1\n\n[node]\nname = "shop"\nconnect = [\n  "tcp://a:1",\n]\n')
    assert read_table(str(file), "node") == {"name": Value("shop", 5), "connect": Value(["tcp://a:1"], 6)}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"[other]\n", "has no table [node]; write [node] above the keys"),
        (b"node = 1\n", "has no table [node]"),
        (b"[node\n", ":1: error: not TOML"),
        (b"\xff", "is not UTF-8 text"),
    ],
)
def test_what_is_no_such_file_is_told(tmp_path: Path, data: bytes, told: str) -> None:
    file = tmp_path / "x.toml"
    file.write_bytes(data)
    with pytest.raises(ConfigError) as refused:
        read_table(str(file), "node")
    assert str(refused.value).startswith(str(file))
    assert told in str(refused.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_table(str(tmp_path / "x.toml"), "node")

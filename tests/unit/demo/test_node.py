"""The node process: its command line and its parent. What it says is tested on a real socket."""

from __future__ import annotations

import os

import pytest

from blastbeat.demo import node


def test_a_wrong_command_line_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert node.main(["tcp://127.0.0.1:1"]) == 2
    assert "ENDPOINT NAME" in capsys.readouterr().err


def test_a_node_whose_parent_is_another_process_ends_at_once(tmp_path: os.PathLike[str]) -> None:
    node.serve(f"ipc://{os.fspath(tmp_path)}/nobody", "demo", parent=os.getpid())

"""Log lines of a node's processes: named, and lent to applications without a log of their own."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from blastbeat.node.log_lines import OURS, lend_log, set_up_log


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Both loggers are as before afterwards."""
    ours, root = logging.getLogger(OURS), logging.getLogger()
    kept = [(each, each.handlers[:], each.level, each.propagate) for each in (ours, root)]
    yield
    for each, handlers, level, propagate in kept:
        each.handlers[:], each.propagate = handlers, propagate
        each.setLevel(level)


def test_each_line_names_who_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_log("info", "text", "shop/host-1")
    logging.getLogger("blastbeat.node.x").info("hello")
    logging.getLogger("blastbeat.node.x").info("told", extra={"node": "shop/host-1-abc"})
    logging.getLogger("blastbeat.node.x").debug("not said")
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("INFO blastbeat.node.x: hello [node=shop/host-1]")
    assert second.endswith("told [node=shop/host-1-abc]")


def test_json_lines_are_objects(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_log("info", "json", "shop/host-1")
    logging.getLogger("blastbeat.node.x").info("hello")
    assert json.loads(capsys.readouterr().err)["node"] == "shop/host-1"


def test_an_application_without_a_log_has_ours(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    handler = set_up_log("info", "text", "shop/host-1")
    lend_log(handler, "info")
    logging.getLogger("their.own").info("bought")
    assert capsys.readouterr().err.endswith("INFO their.own: bought [node=shop/host-1]\n")


def test_one_that_has_set_up_its_own_keeps_it_and_does_not_silence_ours(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = set_up_log("info", "text", "shop/host-1")
    theirs = logging.NullHandler()
    monkeypatch.setattr(logging.getLogger(), "handlers", [theirs])
    logging.getLogger("blastbeat.node.x").disabled = True  # as dictConfig does
    lend_log(handler, "info")
    assert logging.getLogger().handlers == [theirs]
    logging.getLogger("blastbeat.node.x").warning("heard")
    assert "heard" in capsys.readouterr().err

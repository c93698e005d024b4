"""What the process takes: true of the process that asks, and left out where the kernel does not tell."""

from __future__ import annotations

import os
from typing import Any

import pytest

from blastbeat.monitoring import process as module
from blastbeat.monitoring.process import process_figures


def test_the_figures_are_this_process() -> None:
    figures = process_figures()
    assert figures["pid"] == os.getpid()
    assert figures["resident_bytes"] > 1024 * 1024
    assert 0 < figures["descriptors"] <= figures["descriptors_limit"]
    assert figures["cpu_seconds"] > 0


def test_one_more_descriptor_counts() -> None:
    before = process_figures()["descriptors"]
    with open(os.devnull):
        assert process_figures()["descriptors"] == before + 1


@pytest.mark.parametrize(("platform", "unit"), [("linux", 1024), ("darwin", 1)])
def test_without_proc_the_peak_is_told(monkeypatch: pytest.MonkeyPatch, platform: str, unit: int) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr(os, "stat", refuse)
    monkeypatch.setattr(module.sys, "platform", platform)  # type: ignore[attr-defined]
    figures = process_figures()
    peak = module.resource.getrusage(module.resource.RUSAGE_SELF).ru_maxrss  # type: ignore[attr-defined]
    assert figures["resident_bytes"] == peak * unit and "descriptors" not in figures

"""Changed files are told; others are not."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import anyio
import pytest

from blastbeat.errors import StartError
from blastbeat.node.watching import check_watching, watch


def test_python_files_that_change_are_told_by_their_short_names(tmp_path: Path) -> None:
    told: list[str] = []
    (tmp_path / "pack").mkdir()

    async def main() -> None:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:

                def changed(names: list[str]) -> None:
                    told.extend(names)
                    tasks.cancel_scope.cancel()

                await tasks.start(watch, [str(tmp_path)], changed)
                (tmp_path / "notes.txt").write_text("not code")
                (tmp_path / "pack" / "views.py").write_text("x = 1")

    anyio.run(main)
    assert told == ["pack/views.py"]


def test_without_the_library_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    check_watching()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(StartError, match=r"pip install 'blastbeat\[reload\]'"):
        check_watching()

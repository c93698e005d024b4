"""`blastbeat demo`: its arguments reach the demo, its words the terminal."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from blastbeat.cli import main
from blastbeat.commands import demo


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], (None, "127.0.0.1")),
        (["--port", "0"], (0, "127.0.0.1")),
        (["--host", "::1", "--port", "9"], (9, "::1")),
    ],
)
def test_arguments_and_words_are_handed_on(
    arguments: list[str],
    expected: tuple[int | None, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen: list[tuple[int | None, str]] = []

    def fake(port: int | None, host: str, announce: Callable[[str], object]) -> int:
        seen.append((port, host))
        announce("open http://127.0.0.1:9/")
        return 3

    monkeypatch.setattr(demo, "run_demo", fake)
    assert main(["demo", *arguments]) == 3
    assert seen == [expected]
    assert capsys.readouterr().out == "open http://127.0.0.1:9/\n"

"""`blastbeat run` as its users start it: a page at once, code that is followed, a clean end."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

import pytest

from tests.helpers.client import RawClient
from tests.helpers.printing import PrintingProcess

WSGI = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"{text}"]
"""


def running(folder: Path, *arguments: str) -> PrintingProcess:
    command = [sys.executable, "-m", "blastbeat", "run", "shop", "--port", "0", *arguments]
    return PrintingProcess(command, cwd=folder)


def page(process: PrintingProcess) -> bytes:
    """What the address that was printed serves now."""
    match = re.match(r"ready http://127\.0\.0\.1:(\d+)/ serves shop", process.wait_line("ready http"))
    assert match is not None
    client = RawClient(int(match[1]))
    try:
        client.get("/")
        return client.read_response().body
    finally:
        client.close()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    file = tmp_path / "shop.py"
    file.write_text(WSGI.format(text="first"))
    return file


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_shows_each_request_and_ends_clean(shop: Path, number: signal.Signals) -> None:
    with running(shop.parent) as process:
        assert page(process) == b"first"
        process.wait_line('"GET / HTTP/1.1" 200 5')
        process.send_signal(number)
        assert process.wait() == 0
        process.wait_silent()
        assert "WARNING" not in "\n".join(process.lines)


def test_changed_code_is_served_and_a_mistake_is_shown_until_it_is_mended(shop: Path) -> None:
    with running(shop.parent, "--reload") as process:
        assert page(process) == b"first"
        shop.write_text("this is no Python\n")
        process.wait_line("SyntaxError: invalid syntax")
        process.wait_line("what ran before goes on")
        assert page(process) == b"first"
        shop.write_text(WSGI.format(text="second one"))
        process.wait_until(
            lambda lines: sum("is up: heard from" in line for line in lines) == 2, "the second worker"
        )
        process.wait_line("is drained")
        assert page(process) == b"second one"


def test_a_mistake_at_the_start_waits_for_its_mending_too(shop: Path) -> None:
    shop.write_text("import nothing_of_this_name\n")
    with running(shop.parent, "--reload") as process:
        process.wait_line("ModuleNotFoundError")
        shop.write_text(WSGI.format(text="mended"))
        assert page(process) == b"mended"


def test_without_reload_it_ends_with_the_reason(shop: Path) -> None:
    shop.write_text("x = 1\n")
    with running(shop.parent) as process:
        assert process.wait() == 3
        process.wait_silent()
        assert process.lines[-1] == (
            "blastbeat: shop has neither `application` nor `app`: write shop:ATTRIBUTE"
        )


def test_an_address_in_use_ends_it_with_the_reason(shop: Path) -> None:
    with running(shop.parent) as first:
        match = re.search(r":(\d+)/", first.wait_line("ready http"))
        assert match is not None
        with running(shop.parent, "--port", match[1]) as second:
            assert second.wait() == 3
            second.wait_silent()
            assert "in use" in second.lines[-1]

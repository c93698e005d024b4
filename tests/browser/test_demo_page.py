"""The demo's page in a real browser. Needs Debian's `chromium`."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from blastbeat.demo.site import BEATS
from tests.browser.chromium import Chromium
from tests.helpers.printing import PrintingProcess

pytestmark = [pytest.mark.debian, pytest.mark.timeout(60)]

LINES = '[...document.querySelectorAll("#lines li")].map((line) => line.textContent)'


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the demo runs."""
    with PrintingProcess([sys.executable, "-m", "blastbeat", "demo", "--port", "0"]) as demo:
        found = re.search(r"http://\S+", demo.wait_line("http://"))
        assert found is not None
        yield found[0]
        demo.send_signal(signal.SIGTERM)
        assert demo.wait() == 0


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chromium]:
    with Chromium(tmp_path) as browser:
        yield browser


def wait_for_stream(browser: Chromium) -> None:
    browser.wait_for('document.title.startsWith("complete")')


def test_the_streamed_lines_arrive_one_by_one(browser: Chromium, address: str) -> None:
    browser.open(address)
    browser.wait_for('document.querySelectorAll("#lines li").length == 2')
    assert browser.evaluate("document.title").startswith("streaming")
    wait_for_stream(browser)
    lines = browser.evaluate(LINES)
    assert [re.sub(r"^\d+ ms", "", line).split(" from ")[0] for line in lines] == [
        f"beat {number} of {BEATS}" for number in range(1, BEATS + 1)
    ]
    assert browser.evaluate('document.querySelectorAll("#pads .hit").length') == BEATS


def test_the_button_plays_the_stream_again(browser: Chromium, address: str) -> None:
    browser.open(address)
    wait_for_stream(browser)
    browser.evaluate('document.getElementById("play").click()')
    assert browser.evaluate("document.title").startswith("streaming")
    wait_for_stream(browser)
    assert len(browser.evaluate(LINES)) == BEATS


def test_the_request_is_shown_as_text(browser: Chromium, address: str) -> None:
    browser.open(f"{address}?<b>bold</b>")
    browser.wait_for('document.querySelector(".variables")')
    rows = browser.evaluate('[...document.querySelectorAll(".variables tr")].map((row) => row.innerText)')
    shown = dict(re.split(r"\s+", row, maxsplit=1) for row in rows if re.search(r"\s\S", row))
    assert shown["HTTP_HOST"] == address.removeprefix("http://").rstrip("/")
    assert "Chrome" in shown["HTTP_USER_AGENT"]
    assert shown["QUERY_STRING"] == "%3Cb%3Ebold%3C/b%3E"


def test_nothing_is_fetched_from_elsewhere(browser: Chromium, address: str) -> None:
    browser.open(address)
    wait_for_stream(browser)
    fetched = browser.evaluate('performance.getEntriesByType("resource").map((entry) => entry.name)')
    assert fetched and all(url.startswith((address, "data:")) for url in fetched)


def test_light_and_dark_look_different_and_both_are_styled(browser: Chromium, address: str) -> None:
    pictures, papers = set(), set()
    browser.open(address)
    wait_for_stream(browser)
    for scheme in ("light", "dark"):
        browser.prefer(scheme)
        papers.add(browser.evaluate("getComputedStyle(document.body).backgroundColor"))
        pictures.add(browser.screenshot())
    assert papers == {"rgb(246, 244, 239)", "rgb(21, 20, 18)"}
    assert len(pictures) == 2 and all(picture.startswith(b"\x89PNG") for picture in pictures)


def test_the_page_fits_every_screen(browser: Chromium, address: str) -> None:
    browser.open(address)
    wait_for_stream(browser)
    for width in (320, 390, 768, 1400):
        browser.resize(width, 900)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width


def test_a_knock_answers_the_long_poll(browser: Chromium, address: str) -> None:
    browser.open(address)
    browser.wait_for('document.getElementById("poll-state")?.textContent.startsWith("Waiting")')
    browser.evaluate('document.getElementById("knock").click()')
    # The knock may have been faster than the poll it should wake.
    browser.wait_for(
        'document.querySelector("#knocks li") || !document.getElementById("knock").disabled'
        ' && document.getElementById("knock").click()'
    )
    assert "the poll had waited" in browser.evaluate('document.querySelector("#knocks li").textContent')


def test_an_upload_shows_its_progress_and_arrives_whole(browser: Chromium, address: str) -> None:
    browser.open(address)
    wait_for_stream(browser)
    browser.evaluate('document.getElementById("send").click()')
    browser.wait_for('!document.getElementById("upload-result").hidden')
    result = browser.evaluate('document.getElementById("upload-result").innerText')
    assert "16,777,216 bytes" in result and "the same as here" in result and "NOT" not in result
    assert browser.evaluate('document.getElementById("progress").value') == 1


def enter_the_room(browser: Chromium, address: str, name: str) -> None:
    browser.open(address, 1100, 1900)
    browser.wait_for('document.getElementById("chat-state")?.textContent == "connected"')
    field = 'document.getElementById("chat-name")'
    browser.evaluate(f'({field}.value = "{name}", {field}.dispatchEvent(new Event("change")))')


def say(browser: Chromium, text: str) -> None:
    browser.evaluate(f'document.getElementById("chat-text").value = "{text}"')
    browser.evaluate('document.getElementById("chat-form").requestSubmit()')


def wait_for_word(browser: Chromium, text: str) -> None:
    browser.wait_for(f'document.getElementById("chat-log").innerText.includes("{text}")')


def test_three_browsers_chat_and_one_measures_an_echo(
    browser: Chromium, address: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The picture of it is the one in the docs: BLASTBEAT_SCREENSHOTS=docs/images takes it anew."""
    folder = Path(os.environ.get("BLASTBEAT_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    with Chromium(tmp_path_factory.mktemp("b")) as bob, Chromium(tmp_path_factory.mktemp("c")) as eve:
        everybody = {"Ada": browser, "Bob": bob, "Eve": eve}
        for name, each in everybody.items():
            enter_the_room(each, address, name)
        wait_for_word(browser, "is Eve now")
        words = {"Ada": "Hello from one browser.", "Bob": "And back from another.", "Eve": "I read it all!"}
        for name, text in words.items():
            say(everybody[name], text)
            for each in everybody.values():
                wait_for_word(each, f"{name} {text}")
        browser.evaluate('document.getElementById("echo").click()')
        browser.wait_for('document.getElementById("echo-state").textContent.startsWith("Fastest")')
        assert browser.evaluate('document.querySelectorAll("#bars i").length') == 60
        here = browser.evaluate('document.getElementById("chat-here").textContent')
        assert all(name in here for name in everybody)
        wait_for_stream(browser)
        browser.resize(1100, 640)
        browser.evaluate('document.getElementById("chat-title").closest("section").scrollIntoView()')
        browser.evaluate("scrollBy(0, -24)")
        picture = browser.screenshot()
        assert picture.startswith(b"\x89PNG")
        (folder / "demo-chat.png").write_bytes(picture)
    wait_for_word(browser, "left")


def test_the_frames_of_each_request_are_shown(browser: Chromium, address: str, tmp_path: Path) -> None:
    browser.open(address)
    wait_for_stream(browser)
    browser.evaluate('document.getElementById("send").click()')
    browser.wait_for('document.querySelectorAll("#requests details").length >= 4')
    browser.wait_for('document.getElementById("requests").textContent.includes("body ×")')
    summaries = browser.evaluate(
        '[...document.querySelectorAll("#requests summary")].map((s) => s.innerText)'
    )
    assert any(text.startswith("GET / ") for text in summaries)
    assert any(text.startswith("GET /stream") for text in summaries)
    assert any(text.startswith("POST /upload") for text in summaries)
    stream = browser.evaluate(
        '[...document.querySelectorAll("#requests details")]'
        '.find((each) => each.innerText.includes("/stream")).querySelectorAll("tr").length'
    )
    assert stream == BEATS + 3  # the request, the head, each line, the last chunk

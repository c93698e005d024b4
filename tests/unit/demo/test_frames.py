"""The record of frames: what is kept, who sees it, and when news of it are told."""

from __future__ import annotations

import itertools
from typing import Any

from blastbeat.demo.frames import (
    EACH,
    FEED_SECONDS,
    GATHER_SECONDS,
    MAX_FEEDS,
    MAX_PAGES,
    MAX_REQUESTS,
    MAX_ROWS,
    PREVIEW,
    Frames,
)
from tests.helpers.demo import SID, data_of, request, status_of


def new_frames() -> Frames:
    numbers = itertools.count(1)
    return Frames(lambda: f"word-{next(numbers)}")


def news(frames: Frames, word: str, since: int = 0, now: float = 100.0) -> Any:
    """What the page that knows `word` is told at `now`."""
    answers = frames.feed(request(b"feed", QUERY_STRING=f"page={word}&since={since}"), now)
    return data_of(answers or frames.due(now + FEED_SECONDS))


def rows_of(frames: Frames, word: str) -> list[tuple[int, str, str, int, int, str]]:
    ((rows),) = [each["rows"] for each in news(frames, word)["requests"]]
    return [tuple(row) for row in rows]


def test_frames_are_rows_with_the_time_since_the_request_began() -> None:
    frames = new_frames()
    word = frames.new_page()
    frames.begin(request(PATH_INFO="/x"), word, b"12345", 10.0)
    frames.note_sent(
        [(SID, b"headers", b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"), (SID, b"chunk", b"hello\n")], 10.5
    )
    frames.note("sent", SID, b"chunk", b"", 11.0)
    assert rows_of(frames, word) == [
        (0, "received", "uwsgi", 5, 1, "the request, as CGI variables"),
        (500, "sent", "headers", 25, 1, "HTTP/1.1 200 OK…"),
        (500, "sent", "chunk", 6, 1, "hello"),
        (1000, "sent", "chunk", 0, 1, "empty: the last one"),
    ]


def test_bytes_that_are_no_text_are_not_shown() -> None:
    frames = new_frames()
    word = frames.new_page()
    frames.begin(request(), word, b"", 0.0)
    frames.note("received", SID, b"body", b"\xff\x00", 0.0)
    frames.note("received", SID, b"body", b"\x1b[2J", 0.0)
    frames.note("received", SID, b"body", b"x" * 100, 0.0)
    assert [row[5] for row in rows_of(frames, word)[1:]] == ["", "", "x" * PREVIEW + "…"]


def test_many_alike_share_a_row_and_rows_are_bounded() -> None:
    frames = new_frames()
    word = frames.new_page()
    frames.begin(request(), word, b"", 0.0)
    for number in range(1000):
        frames.note("received", SID, b"body", b"abc", number / 1000)
    rows = rows_of(frames, word)
    assert len(rows) == EACH
    assert rows[-1][:5] == (999, "received", "body", 3 * (1000 - EACH + 2), 1000 - EACH + 2)
    for number in range(MAX_ROWS):
        frames.note("sent" if number % 2 else "received", SID, b"chunk", b"", 0.0)
    (shown,) = news(frames, word)["requests"]
    assert len(shown["rows"]) == MAX_ROWS and shown["more"] == EACH


def test_a_page_sees_only_its_own() -> None:
    frames = new_frames()
    mine, other = frames.new_page(), frames.new_page()
    frames.begin(request(b"a"), mine, b"", 0.0)
    frames.begin(request(b"b"), other, b"", 0.0)
    frames.begin(request(b"c"), "made up", b"", 0.0)
    frames.note("sent", b"c", b"body", b"secret", 0.0)
    assert len(news(frames, mine)["requests"]) == len(news(frames, other)["requests"]) == 1
    answers = frames.feed(request(QUERY_STRING="page=made+up"), 0.0)
    assert status_of(answers) == 404


def test_news_are_told_at_once_or_when_they_come_but_gathered() -> None:
    frames = new_frames()
    word = frames.new_page()
    feed = request(b"feed", QUERY_STRING=f"page={word}&since=0")
    assert frames.feed(feed, 1.0) == []
    assert frames.next_due() == 1.0 + FEED_SECONDS
    frames.begin(request(), word, b"", 5.0)
    assert frames.next_due() == 5.0 + GATHER_SECONDS
    frames.note("sent", SID, b"headers", b"", 5.05)
    assert frames.due(5.1) == []
    told = data_of(frames.due(5.05 + GATHER_SECONDS))
    assert told["serial"] == 2 and len(told["requests"][0]["rows"]) == 2
    assert frames.next_due() is None
    assert news(frames, word, since=2) == {"serial": 2, "requests": []}


def test_only_what_changed_is_told_again() -> None:
    frames = new_frames()
    word = frames.new_page()
    frames.begin(request(b"a"), word, b"", 0.0)
    frames.begin(request(b"b"), word, b"", 0.0)
    serial = news(frames, word)["serial"]
    frames.note("sent", b"a", b"body", b"x", 1.0)
    assert [each["number"] for each in news(frames, word, since=serial)["requests"]] == [1]


def test_pages_requests_and_feeds_are_bounded() -> None:
    frames = new_frames()
    word = frames.new_page()
    for number in range(MAX_REQUESTS + 5):
        frames.begin(request(b"%d" % number), word, b"", 1.0)
    assert len(news(frames, word)["requests"]) == MAX_REQUESTS
    quiet = frames.new_page()
    for _ in range(MAX_PAGES - 1):
        frames.begin(request(), frames.new_page(), b"", 2.0)
    assert status_of(frames.feed(request(QUERY_STRING=f"page={quiet}"), 2.0)) == 404
    frames = new_frames()
    word = frames.new_page()
    for number in range(MAX_FEEDS):
        frames.feed(request(b"%d" % number, QUERY_STRING=f"page={word}&since=0"), 0.0)
    assert status_of(frames.feed(request(b"late", QUERY_STRING=f"page={word}"), 0.0)) == 404


def test_who_left_is_not_told() -> None:
    frames = new_frames()
    word = frames.new_page()
    frames.feed(request(b"feed", QUERY_STRING=f"page={word}&since=0"), 0.0)
    frames.forget(b"feed")
    assert frames.next_due() is None


def test_a_page_that_made_room_ends_the_wait_for_its_news() -> None:
    frames = new_frames()
    word = frames.new_page()
    frames.feed(request(b"feed", QUERY_STRING=f"page={word}&since=0"), 0.0)
    for _ in range(MAX_PAGES):
        frames.begin(request(), frames.new_page(), b"", 2.0)
    assert data_of(frames.due(3.0)) == {"serial": 0, "requests": []}

"""Errors and answers the server gives itself."""

from __future__ import annotations

import pytest

from blastbeat.answers import MAX_REASON_LENGTH, RETRY_AFTER, error_answer, plugin_answer, reason_phrase
from blastbeat.headers import field_value
from blastbeat.interfaces import Answer
from blastbeat.pages import Page

# Every status `protocol.md` §6 names.
STATUSES = [400, 404, 408, 413, 414, 417, 421, 426, 429, 431, 501, 502, 503, 504, 505]


@pytest.mark.parametrize("status", STATUSES)
def test_each_error_has_a_phrase_and_a_short_text(status: int) -> None:
    head, body = error_answer(7, status, "because of this")
    assert (head.stream_id, head.status, head.close, head.bodyless) == (7, status, True, False)
    assert head.reason and head.reason == reason_phrase(status)
    assert body == b"%d %b\n\nbecause of this\n" % (status, head.reason)
    assert head.length == len(body)
    assert field_value(head.headers, b"content-type") == b"text/plain; charset=utf-8"
    assert field_value(head.headers, b"cache-control") == b"no-store"


@pytest.mark.parametrize("status", STATUSES)
def test_retry_after_is_for_503_alone(status: int) -> None:
    head, _ = error_answer(1, status, "")
    assert field_value(head.headers, b"retry-after") == (b"%d" % RETRY_AFTER if status == 503 else None)


def test_the_caller_may_know_how_long_to_wait() -> None:
    head, _ = error_answer(1, 503, "", retry_after=60)
    assert field_value(head.headers, b"retry-after") == b"60"


def test_the_callers_fields_take_the_place_of_ours() -> None:
    framing = [(b"Content-Length", b"1"), (b"Content-Type", b"a/b")]
    extra = [(b"retry-after", b"7"), (b"X-Plan", b"bronze"), *framing]
    head, body = error_answer(1, 503, "", extra=extra)
    assert head.headers == [
        (b"Content-Type", b"text/plain; charset=utf-8"),
        (b"Cache-Control", b"no-store"),
        (b"retry-after", b"7"),
        (b"X-Plan", b"bronze"),
    ]
    assert head.length == len(body)


def test_426_names_the_version_of_websocket() -> None:
    head, _ = error_answer(1, 426, "")
    assert field_value(head.headers, b"sec-websocket-version") == b"13"


def test_phrases_are_those_of_rfc_9110() -> None:
    assert [reason_phrase(status) for status in (413, 414, 422, 799)] == [
        b"Content Too Large",
        b"URI Too Long",
        b"Unprocessable Content",
        b"",
    ]


def test_head_gets_the_length_without_the_text() -> None:
    with_body, body = error_answer(1, 404, "no such host")
    head, nothing = error_answer(1, 404, "no such host", bodyless=True, close=False)
    assert nothing == b""
    assert (head.length, head.bodyless, head.close) == (len(body), True, False)
    assert head.headers == with_body.headers


def test_the_explanation_is_one_short_line() -> None:
    _, body = error_answer(1, 400, "a\r\nb\0\x1b[31m\x9b" + "é" * 1000)
    text = body.decode("utf-8").split("\n")
    assert text[2].startswith("a  b  [31m é")
    assert (len(text), len(text[2])) == (4, MAX_REASON_LENGTH)


def test_a_reason_that_is_no_text_is_still_answered() -> None:
    _, body = error_answer(1, 400, "\udc80")
    assert body == b"400 Bad Request\n\n?\n"


def test_a_plugins_answer_is_given_as_it_is() -> None:
    head, body = plugin_answer(3, Answer(302, b"over there", [(b"Location", b"/x"), (b"X-A", b"1")]))
    assert (head.stream_id, head.status, head.reason, head.length) == (3, 302, b"Found", 10)
    assert head.headers == [(b"Location", b"/x"), (b"X-A", b"1")]
    assert (head.close, head.bodyless, body) == (False, False, b"over there")


def test_a_plugins_answer_is_framed_by_the_server() -> None:
    fields = [(b"Content-Length", b"999"), (b"transfer-encoding", b"chunked"), (b"A", b"b")]
    head, body = plugin_answer(1, Answer(200, b"abc", fields), close=True)
    assert (head.headers, head.length, body, head.close) == ([(b"A", b"b")], 3, b"abc", True)


def test_a_plugins_answer_to_head() -> None:
    head, body = plugin_answer(1, Answer(200, b"abc"), bodyless=True)
    assert (head.length, head.bodyless, body) == (3, True, b"")


@pytest.mark.parametrize(("status", "length"), [(204, None), (304, None), (205, 0)])
def test_a_status_without_body_has_none(status: int, length: int | None) -> None:
    head, body = plugin_answer(1, Answer(status, b"abc"))
    assert (head.length, head.bodyless, body) == (length, True, b"")


@pytest.mark.parametrize(
    "answer",
    [
        Answer(302, b"", [(b"Location", b"/\r\nSet-Cookie: a=b")]),
        Answer(200, b"", [(b"A b", b"")]),
        Answer(100),
        Answer(600),
    ],
)
def test_a_malformed_answer_of_a_plugin_becomes_a_500(answer: Answer) -> None:
    head, body = plugin_answer(1, answer)
    assert head.status == 500
    assert b"plugin" in body


# ---------------------------------------------------------------- pages

PAGE = Page(b"text/html; charset=utf-8", b"<p>busy")


@pytest.mark.parametrize("bodyless", [False, True])
def test_a_page_takes_the_place_of_the_text_alone(bodyless: bool) -> None:
    head, body = error_answer(1, 503, "a reason that clients need not know", page=PAGE, bodyless=bodyless)
    assert (head.length, body) == (len(PAGE.body), b"" if bodyless else PAGE.body)
    assert head.headers == [
        (b"Content-Type", b"text/html; charset=utf-8"),
        (b"Cache-Control", b"no-store"),
        (b"Retry-After", b"5"),
    ]


def test_an_error_of_a_plugin_without_a_body_gets_the_page() -> None:
    answer = Answer(401, headers=[(b"WWW-Authenticate", b"Basic"), (b"content-type", b"text/css")])
    head, body = plugin_answer(1, answer, page=PAGE)
    assert body == PAGE.body and head.length == len(body)
    assert head.headers == [(b"WWW-Authenticate", b"Basic"), (b"Content-Type", PAGE.content_type)]
    head, body = plugin_answer(1, answer)
    assert body == b"401 Unauthorized\n" and head.headers[-1] == (
        b"Content-Type",
        b"text/plain; charset=utf-8",
    )


@pytest.mark.parametrize("answer", [Answer(403, b"its own"), Answer(302), Answer(200)])
def test_what_a_plugin_says_itself_stays(answer: Answer) -> None:
    assert plugin_answer(1, answer, page=PAGE)[1] == answer.body

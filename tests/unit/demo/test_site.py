"""The demo's answers, message by message, with the time passed in."""

from __future__ import annotations

import json
import re

from blastbeat.demo.request import Message
from blastbeat.demo.site import Site
from tests.helpers.demo import SID, fields_of, packet


def ask(
    site: Site, path: str, method: str = "GET", sid: bytes = SID, now: float = 0.0, **variables: str
) -> list[Message]:
    return site.receive(sid, b"uwsgi", packet(REQUEST_METHOD=method, PATH_INFO=path, **variables), now)


def new_site() -> Site:
    return Site("demo", 4242)


def test_a_ping_is_answered_with_a_pong() -> None:
    assert new_site().receive(b"", b"ping", b"", 0.0) == [(b"", b"pong", b"")]


def test_types_the_demo_has_no_use_for_are_passed_over() -> None:
    for type in (b"spawn", b"body", b"websocket", b"msg", b"future"):
        assert new_site().receive(SID, type, b"", 0.0) == []


def test_the_page_is_a_head_with_its_length_and_a_body() -> None:
    (sid, type, head), (body_sid, body_type, body) = ask(new_site(), "/")
    assert (sid, type, body_sid, body_type) == (SID, b"headers", SID, b"body")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert fields_of(head)["content-length"] == str(len(body))
    assert b"process 4242" in body and SID.hex().encode() in body


def test_an_unknown_path_is_not_found() -> None:
    (_, _, head), (_, _, body) = ask(new_site(), "/<b>nowhere</b>")
    assert head.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert b"/&lt;b&gt;nowhere&lt;/b&gt;" in body


def test_a_head_request_gets_the_head_alone() -> None:
    site = new_site()
    assert [type for _, type, _ in ask(site, "/", "HEAD")] == [b"headers"]
    assert [type for _, type, _ in ask(site, "/stream", "HEAD")] == [b"headers"]
    assert site.next_due() is None


def test_another_method_is_told_which_ones_there_are() -> None:
    (_, _, head), _ = ask(new_site(), "/stream", "POST")
    assert head.startswith(b"HTTP/1.1 405 ")
    assert fields_of(head)["allow"] == "GET, HEAD"


def test_each_address_says_how_it_is_asked() -> None:
    (_, _, head), _ = ask(new_site(), "/upload")
    assert head.startswith(b"HTTP/1.1 405 ") and fields_of(head)["allow"] == "POST, PUT"
    (_, _, head), _ = ask(new_site(), "/knock")
    assert fields_of(head)["allow"] == "POST"


def test_what_waits_for_its_time_is_told_in_the_order_of_times() -> None:
    site = new_site()
    assert site.next_due() is None
    ask(site, "/poll", sid=b"poll", now=5.0)
    ask(site, "/stream", sid=b"stream", now=6.0)
    assert site.next_due() == 6.0
    assert [sid for sid, _, _ in site.due(6.0)] == [b"stream"]


def test_a_new_request_of_a_session_ends_what_the_last_one_left() -> None:
    site = new_site()
    ask(site, "/poll")
    ask(site, "/upload", "POST", CONTENT_LENGTH="10")
    assert site.next_due() is None
    assert site.receive(SID, b"body", b"0123456789", 0.0)[0][1] == b"headers"


def test_the_end_of_a_session_ends_all_it_had() -> None:
    site = new_site()
    ask(site, "/upload", "POST", CONTENT_LENGTH="10")
    assert site.receive(SID, b"end", b"", 0.0) == []
    assert site.receive(SID, b"body", b"0123456789", 0.0) == []


def page_word(site: Site) -> str:
    """Opens the page, and reads what its script would send."""
    _, (_, _, page) = ask(site, "/", sid=b"page")
    found = re.search(rb'data-page="([^"]+)"', page)
    assert found is not None
    return found[1].decode()


def test_the_page_is_told_the_frames_of_its_own_requests() -> None:
    site = new_site()
    word = page_word(site)
    ask(site, "/upload", "POST", CONTENT_LENGTH="3", QUERY_STRING=f"page={word}", now=1.0)
    site.receive(SID, b"body", b"abc", 1.5)
    ask(site, "/poll", sid=b"other")  # carries no word: nobody's to see
    assert ask(site, "/frames", sid=b"feed", QUERY_STRING=f"page={word}&since=0", now=1.5) == []
    (_, _, head), (sid, _, body) = site.due(2.0)
    assert (sid, fields_of(head)["content-type"]) == (b"feed", "application/json")
    news = json.loads(body)
    assert [each["method"] + each["target"] for each in news["requests"]] == [
        "GET/",
        "POST/upload",
    ]
    assert [(row[1], row[2]) for row in news["requests"][1]["rows"]] == [
        ("received", "uwsgi"), ("received", "body"), ("sent", "headers"), ("sent", "body")
    ]  # fmt: skip
    serial = news["serial"]
    assert ask(site, "/frames", sid=b"feed", QUERY_STRING=f"page={word}&since={serial}", now=3.0) == []


def test_a_chat_over_websockets() -> None:
    site = new_site()
    for sid in (b"a", b"b"):
        ask(site, "/chat", sid=sid, HTTP_UPGRADE="websocket")
    messages = site.receive(b"a", b"websocket", b'{"say": "hi"}', 0.0)
    assert [(sid, type) for sid, type, _ in messages] == [(b"a", b"websocket"), (b"b", b"websocket")]
    ((sid, _, body),) = site.receive(b"a", b"end", b"1001", 0.0)
    assert sid == b"b" and json.loads(body)["text"] == "guest 1 left"


def test_an_echo_over_a_websocket() -> None:
    site = new_site()
    assert ask(site, "/echo", HTTP_UPGRADE="websocket") == []
    assert site.receive(SID, b"websocket", b"42", 0.0) == [(SID, b"websocket", b"42")]
    site.receive(SID, b"end", b"", 0.0)
    assert site.receive(SID, b"websocket", b"42", 0.0) == []


def test_a_plain_request_for_a_websocket() -> None:
    (_, _, head), _ = ask(new_site(), "/chat")
    assert head.startswith(b"HTTP/1.1 426 ") and fields_of(head)["upgrade"] == "websocket"


def test_the_frames_of_a_websocket_are_shown_on_its_page() -> None:
    site = new_site()
    page = ask(site, "/")[1][2].decode()
    word = re.search(r'data-page="([^"]+)"', page)
    assert word is not None
    ask(site, "/echo", sid=b"w", HTTP_UPGRADE="websocket", QUERY_STRING=f"page={word[1]}")
    site.receive(b"w", b"websocket", b"42", 0.0)
    _, (_, _, body) = ask(site, "/frames", sid=b"f", now=1.0, QUERY_STRING=f"page={word[1]}")
    echo = next(each for each in json.loads(body)["requests"] if each["target"] == "/echo")
    assert [(row[1], row[2]) for row in echo["rows"]] == [
        ("received", "uwsgi"), ("received", "websocket"), ("sent", "websocket")
    ]  # fmt: skip

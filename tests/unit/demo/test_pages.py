"""The demo's HTML: what a client sent stays text, and only the page's own script may run."""

from __future__ import annotations

import re

from blastbeat.demo import pages


def welcome(**variables: str) -> str:
    page = pages.welcome(variables, sid=b"\x01\xff", node="demo", process=7, beats=3, word="w-1")
    return page.html.decode()


def test_variables_stand_in_the_table_in_order() -> None:
    text = welcome(REQUEST_METHOD="GET", QUERY_STRING="")
    rows = re.findall(r'<tr><th scope="row">(.*?)</th><td>(.*?)</td></tr>', text)
    assert rows == [("REQUEST_METHOD", "GET"), ("QUERY_STRING", "<i>empty</i>")]
    assert "01ff" in text and 'data-page="w-1"' in text


def test_what_a_client_sent_is_escaped_wherever_it_is_shown() -> None:
    attack = "\"'><script>alert(1)</script>&amp;$nonce"
    text = welcome(HTTP_HOST=attack, **{attack: attack})
    assert "alert(1)</script>" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;$nonce") == 4


def test_characters_that_cannot_be_seen_are_spelled_out() -> None:
    assert pages.visible("a\x00b\u202ec\ré") == "a\\x00b\\u202ec\\ré"


def test_only_what_carries_the_nonce_of_this_page_runs() -> None:
    page = pages.welcome({}, sid=b"", node="demo", process=7, beats=3, word="w-1")
    (nonce,) = set(re.findall(r'<(?:script|style) nonce="([^"]+)"', page.html.decode()))
    assert f"script-src 'nonce-{nonce}'" in page.policy
    assert "default-src 'none'" in page.policy
    assert nonce not in pages.message("404", "").policy


def test_no_page_asks_for_anything_from_outside() -> None:
    for text in (welcome(), pages.not_found("/").html.decode()):
        assert not re.search(r"(?:src|href)=\"(?!data:|/)", text)
        assert "@import" not in text and "url(" not in text


def test_a_long_path_is_cut() -> None:
    assert len(pages.not_found("/" + "x" * 60_000).html) < 10_000

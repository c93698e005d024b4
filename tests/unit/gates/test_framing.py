"""What a request head may say about its length, host, expectations and upgrade."""

from __future__ import annotations

import pytest

from blastbeat.errors import GrammarError
from blastbeat.gates.framing import CHUNKED, check_facts, check_host, check_target, split_tokens

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="


def facts(*fields: bytes, method: bytes = b"POST", version: bytes = b"1.1", host: bool = True) -> int:
    lines = ([b"Host: a"] if host else []) + list(fields)
    head = b"%b / HTTP/%b\r\n" % (method, version) + b"".join(b"%b\r\n" % line for line in lines) + b"\r\n"
    return check_facts(method, version, head)


def refused(*fields: bytes, method: bytes = b"POST", version: bytes = b"1.1", host: bool = True) -> int:
    with pytest.raises(GrammarError) as caught:
        facts(*fields, method=method, version=version, host=host)
    return caught.value.status


@pytest.mark.parametrize(
    ("target", "method"),
    [
        (b"/", b"GET"),
        (b"//a/b", b"GET"),
        (b"/http://x", b"GET"),
        (b"*", b"OPTIONS"),
        (b"http://a", b"GET"),
        (b"HTTP://a:80/x?y", b"GET"),
        (b"https://a?y", b"GET"),
        (b"http://[::1]:8080/", b"GET"),
    ],
)
def test_good_targets(target: bytes, method: bytes) -> None:
    check_target(method, target)


@pytest.mark.parametrize(
    "target",
    [b"*", b"a", b"a:443", b"ftp://a/", b"http:/a", b"http:a", b"http:///x", b"http://u@a/", b"http://a:x/"]
    + [b"http://", b"?x", b"http://a\\b/", b"https://a,b/", b"ws://a/", b"http://a%2eb/", b"**"],
)
def test_bad_targets(target: bytes) -> None:
    with pytest.raises(GrammarError) as caught:
        check_target(b"GET", target)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "host",
    [
        b"a",
        b"A.b-c_d~",
        b"a.",
        b"a:80",
        b"a:",
        b"127.0.0.1:65535",
        b"[::1]",
        b"[::ffff:1.2.3.4]:80",
        b"a:00080",
    ],
)
def test_good_hosts(host: bytes) -> None:
    check_host(host, "the Host field")


@pytest.mark.parametrize(
    "host",
    [b"", b":80", b"a:65536", b"a:123456", b"a:+80", b"a:8 0", b"a b", b"a, b", b"a/b", b"u@a", b"a?b"]
    + [
        b"[::1",
        b"::1",
        b"[::1]x",
        b"[fe80::1%25eth0]",
        b"[:::]",
        b"[1.2.3.4]",
        b"[]",
        b"a\xe9",
        b"a%2e",
        b"*",
    ]
    + [b"http://a", b"a:80:80", b"a\\b", b'"a"', b"[" + b":" * 60000 + b"]"],
)
def test_bad_hosts(host: bytes) -> None:
    with pytest.raises(GrammarError, match="the Host field") as caught:
        check_host(host, "the Host field")
    assert caught.value.status == 400


class TestHost:
    def test_exactly_one_in_http11(self) -> None:
        assert facts() == 0
        assert refused(host=False) == 400
        assert refused(b"hOST: a") == 400
        assert refused(b"Host: b") == 400

    def test_none_or_one_in_http10(self) -> None:
        assert facts(version=b"1.0", host=False) == 0
        assert facts(version=b"1.0") == 0
        assert refused(b"Host: a", version=b"1.0") == 400

    def test_must_name_a_host(self) -> None:
        assert facts(b"Host: \t a:80 \t", host=False) == 0
        for host in (b"", b" ", b"a b", b"u@a"):
            assert refused(b"Host:" + host, host=False) == 400

    def test_other_fields_that_end_alike_are_not_it(self) -> None:
        assert facts(b"X-Host: b", b"X-Content-Length: x", b"Hosts: c") == 0


class TestContentLength:
    @pytest.mark.parametrize(
        ("value", "length"), [(b"0", 0), (b" 5\t", 5), (b"10", 10), (b"9" * 18, 10**18 - 1)]
    )
    def test_one_decimal_number(self, value: bytes, length: int) -> None:
        assert facts(b"Content-Length:" + value) == length

    @pytest.mark.parametrize(
        "value",
        [b"", b"+5", b"-5", b"5, 5", b"5,5", b"5 5", b"0x5", b"5.0", b"5;", b"1e3", b"five", b"1_0", b'"5"']
        + [b"9" * 19, b"0" * 18 + b"5", b"\xb2", b"5\t6", b"NaN", b"0005", b"00"],
    )
    def test_nothing_else(self, value: bytes) -> None:
        assert refused(b"Content-Length:" + value) == 400

    def test_two_are_refused_even_if_equal(self) -> None:
        assert refused(b"Content-Length: 5", b"Content-Length: 6") == 400
        assert refused(b"Content-Length: 5", b"content-length: 5") == 400
        assert refused(b"Content-Length: 0", b"Content-Length: 0") == 400


class TestTransferEncoding:
    @pytest.mark.parametrize("value", [b"chunked", b" Chunked ", b"CHUNKED\t"])
    def test_chunked(self, value: bytes) -> None:
        assert facts(b"Transfer-Encoding:" + value) == CHUNKED

    @pytest.mark.parametrize(
        "value",
        [b"", b",", b"chunked,", b",chunked", b"chunked, chunked", b"chunked, identity", b"chunked, gzip"]
        + [
            b"chunked;a=b",
            b"chunked ;x",
            b"chun ked",
            b'"chunked"',
            b"chunked\xa0",
            b"chunked=",
            b"gzip,,chunked",
        ]
        + [b"[chunked]", b"chunked gzip", b"(c) chunked"],
    )
    def test_malformed_or_not_last(self, value: bytes) -> None:
        assert refused(b"Transfer-Encoding:" + value) == 400

    @pytest.mark.parametrize(
        "value", [b"gzip", b"gzip, chunked", b"identity", b"xchunked", b"x;q=1, chunked"]
    )
    def test_other_codings(self, value: bytes) -> None:
        assert refused(b"Transfer-Encoding:" + value) == 501

    def test_two_fields_are_one_list(self) -> None:
        assert refused(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") == 400
        assert refused(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip") == 400
        assert refused(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked") == 501
        assert refused(b"Transfer-Encoding: chunked", b"Transfer-Encoding:") == 400

    def test_never_beside_a_length(self) -> None:
        assert refused(b"Transfer-Encoding: chunked", b"Content-Length: 5") == 400
        assert refused(b"Content-Length: 0", b"Transfer-Encoding: chunked") == 400
        assert refused(b"Content-Length: 5", b"Transfer-Encoding: gzip") == 400

    def test_never_in_http10(self) -> None:
        assert refused(b"Transfer-Encoding: chunked", version=b"1.0") == 400
        assert refused(b"Transfer-Encoding: gzip", version=b"1.0") == 400


class TestExpect:
    def test_continue(self) -> None:
        assert facts(b"Expect: 100-Continue ", b"Content-Length: 5") == 5

    @pytest.mark.parametrize("value", [b"", b"200-ok", b"100-continue, x", b"100-continue;a=b"])
    def test_others(self, value: bytes) -> None:
        assert refused(b"Expect: " + value) == 417

    def test_every_field_counts(self) -> None:
        assert refused(b"Expect: 100-continue", b"Expect: x") == 417

    def test_http10_has_no_expectations(self) -> None:
        assert facts(b"Expect: x", version=b"1.0") == 0


class TestHandshake:
    FIELDS = (b"Upgrade: websocket", b"Connection: keep-alive, Upgrade", b"Sec-WebSocket-Key: " + KEY)

    def test_good(self) -> None:
        assert facts(*self.FIELDS, method=b"GET") == 0
        assert facts(*self.FIELDS, b"Content-Length: 0", method=b"GET") == 0

    def test_names_are_case_insensitive_and_lists(self) -> None:
        lists = (b"UPGRADE: h2c, WebSocket", b"connection: x", b"CONNECTION: upgrade")
        assert facts(*lists, b"sec-websocket-key: " + KEY, method=b"GET") == 0
        assert refused(*lists, method=b"GET") == 400
        assert refused(b"Upgrade: websocket", b"Upgrade: h2c", b"Connection: upgrade") == 400

    def test_wants_get_in_http11_without_body(self) -> None:
        assert refused(*self.FIELDS, method=b"POST") == 400
        assert refused(*self.FIELDS, method=b"GET", version=b"1.0") == 400
        assert refused(*self.FIELDS, b"Content-Length: 1", method=b"GET") == 400
        assert refused(*self.FIELDS, b"Transfer-Encoding: chunked", method=b"GET") == 400

    @pytest.mark.parametrize(
        "keys",
        [[], [KEY, KEY], [b""], [b"short=="], [KEY[:-2]], [KEY + b"A"], [b"dGhlIHNhbXBsZSBub25jZR=="]],
    )
    def test_wants_one_valid_key(self, keys: list[bytes]) -> None:
        fields = [b"Sec-WebSocket-Key: " + key for key in keys]
        assert refused(*self.FIELDS[:2], *fields, method=b"GET") == 400

    def test_other_upgrades_are_ordinary_requests(self) -> None:
        assert facts(b"Upgrade: h2c", b"Connection: Upgrade", b"Content-Length: 5") == 5
        assert facts(b"Upgrade: websocket", b"Connection: close", b"Content-Length: 5") == 5
        assert facts(b"Connection: Upgrade") == 0


def test_split_tokens() -> None:
    assert split_tokens(b"Keep-Alive , \tUpgrade,") == [b"keep-alive", b"upgrade", b""]

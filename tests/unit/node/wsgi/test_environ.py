"""The environ of a request, from either kind of head."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from blastbeat.node.request import parse_headers, parse_uwsgi
from blastbeat.node.wsgi.environ import build_environ
from tests.helpers.uwsgi import write_packet

VARIABLES = {
    "REQUEST_METHOD": "GET",
    "REQUEST_URI": "/a%20b?c=%64",
    "PATH_INFO": "/a b",
    "QUERY_STRING": "c=%64",
    "SCRIPT_NAME": "",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SERVER_NAME": "app.test",
    "SERVER_PORT": "80",
    "REMOTE_ADDR": "192.0.2.1",
    "REMOTE_PORT": "1234",
    "REQUEST_SCHEME": "http",
    "HTTP_HOST": "app.test",
}


def packet(variables: Mapping[str, str | bytes]) -> bytes:
    return write_packet(
        (name.encode(), value if isinstance(value, bytes) else value.encode("latin-1"))
        for name, value in variables.items()
    )


def of(**changes: str | bytes) -> dict[str, object]:
    return build_environ(parse_uwsgi(packet({**VARIABLES, **changes})))


def test_variables_are_native_strings() -> None:
    assert of(HTTP_X_NAME="é".encode()) == {
        **VARIABLES,
        "HTTP_X_NAME": "Ã©",  # bytes, as latin-1
        "wsgi.url_scheme": "http",
    }
    assert of(HTTPS="on", REQUEST_SCHEME="https")["wsgi.url_scheme"] == "https"


@pytest.mark.parametrize("scheme, port", [("http", "80"), ("https", "443")])
def test_the_server_always_has_a_name_and_a_port(scheme: str, port: str) -> None:
    environ = of(SERVER_NAME="", SERVER_PORT="", REQUEST_SCHEME=scheme)
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("localhost", port)
    environ = build_environ(
        parse_headers(b"GET / HTTP/1.0\r\nX-Forwarded-Proto: %b\r\n\r\n" % scheme.encode())
    )
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("localhost", port)


@pytest.mark.parametrize("variable", ["CONTENT_TYPE", "CONTENT_LENGTH"])
def test_an_empty_field_is_none(variable: str) -> None:
    assert variable not in of(**{variable: ""})
    assert of(**{variable: "5"})[variable] == "5"


@pytest.mark.parametrize(
    "target, path_info, expected",
    [
        ("/%C3%A9", b"/\xc3\xa9", "/Ã©"),
        ("/%C3%A9", b"/%C3%A9", "/Ã©"),  # `path-info = raw`
        ("/%2541", b"/%41", "/%41"),
        ("/%zz", b"/%zz", "/%zz"),
        ("/shop/%2541", b"/%41", "/%41"),
        ("*", b"*", ""),
    ],
)
def test_the_path_is_decoded_once(target: str, path_info: bytes, expected: str) -> None:
    assert of(REQUEST_URI=target, PATH_INFO=path_info)["PATH_INFO"] == expected


@pytest.mark.parametrize(
    "path, script, expected",
    [
        ("/shop/a", "", ("/shop", "/a")),
        ("/shop", "", ("/shop", "")),
        ("/a", "", ("/shop", "/a")),  # taken off by somebody in front
        ("/shopping", "", ("/shop", "/shopping")),
        ("/a", "/v1", ("/shop/v1", "/a")),  # `strip-prefix`
    ],
)
def test_the_root_path(path: str, script: str, expected: tuple[str, str]) -> None:
    request = parse_uwsgi(packet({**VARIABLES, "PATH_INFO": path, "SCRIPT_NAME": script}))
    environ = build_environ(request, b"/shop")
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == expected


def test_a_headers_message() -> None:
    head = (
        b"POST /a%20%C3%A9?b HTTP/1.1\r\nHost: app.test:8080\r\nContent-Length: 3\r\n"
        b"Content-Type: text/plain\r\n"
        b"Cookie: a=1\r\nCookie: b=2\r\nX-A: 1\r\nX-A: 2\r\nX-Forwarded-For: 192.0.2.1\r\n"
        b"X-Forwarded-Proto: https\r\n\r\n"
    )
    assert build_environ(parse_headers(head)) == {
        "REQUEST_METHOD": "POST",
        "REQUEST_URI": "/a%20%C3%A9?b",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a Ã©",
        "QUERY_STRING": "b",
        "SERVER_NAME": "app.test",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.1",
        "REMOTE_PORT": "0",
        "REQUEST_SCHEME": "https",
        "HTTPS": "on",
        "CONTENT_LENGTH": "3",
        "CONTENT_TYPE": "text/plain",
        "HTTP_HOST": "app.test:8080",
        "HTTP_COOKIE": "a=1; b=2",
        "HTTP_X_A": "1, 2",
        "HTTP_X_FORWARDED_FOR": "192.0.2.1",
        "HTTP_X_FORWARDED_PROTO": "https",
        "wsgi.url_scheme": "https",
    }

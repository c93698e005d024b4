"""What check says of certificates, client certificates and redirects, as far as the text tells."""

from __future__ import annotations

import pytest

from tests.helpers.examine import Examine

ZMQ = 'zmq = "ipc://x"\n'
PLAIN = f'[blastbeat]\n{ZMQ}bind = "127.0.0.1:80"\n'
BOTH = f'{PLAIN}bind-ssl = "127.0.0.1:443"\n'  # line 4
HOST = '[vhost.a]\nnode = "n"\n'


def told(examine_text: Examine, text: str) -> list[tuple[str, int, str]]:
    _, problems = examine_text(text)
    return [(problem.severity, problem.line, problem.message) for problem in problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f'{BOTH}certificate = "x"\n{HOST}', []),
        (f'{BOTH}{HOST}certificate = "x"\nkey = "y"\n', []),
        (
            f"{BOTH}{HOST}",
            [("error", 4, "there is no certificate for it: neither here nor")],
        ),
        (
            f'{PLAIN}{HOST}bind-ssl = "8443"\n',
            [("error", 6, "there is no certificate for it"), ("warning", 3, "")],
        ),
        (f'{BOTH}{HOST}key = "y"\n', [("error", 4, ""), ("error", 7, "there is no certificate beside it")]),
        (f'{PLAIN}{HOST}certificate = "x"\n', [("warning", 6, "nobody sees it: there is no bind-ssl")]),
        (
            f'{BOTH}{HOST}certificate = "x"\n[vhost.b]\nnode = "n"\n',
            [("warning", 8, "it has no certificate, so nobody reaches it with TLS")],
        ),
    ],
)
def test_certificates(examine_text: Examine, text: str, expected: list[tuple[str, int, str]]) -> None:
    found = told(examine_text, text)
    assert [each[:2] for each in found] == [each[:2] for each in expected]
    assert all(mine[2].startswith(wanted[2]) for mine, wanted in zip(found, expected, strict=True))


CERTIFIED = f'{BOTH}certificate = "x"\n'  # five lines


@pytest.mark.parametrize(
    ("server", "host", "expected"),
    [
        ("", 'client-verify = "optional"\nclient-ca = "c"\n', []),
        ("", 'client-verify = "off"\n', []),
        ("", 'client-verify = "required"\n', [("error", 8, "there is no client-ca")]),
        ('client-verify = "optional"\n', 'client-verify = "off"\n', [("error", 6, "there is no client-ca")]),
        ("", 'client-verify = "off"\nclient-ca = "c"\n', [("warning", 9, "nothing is asked of clients")]),
        ("", 'client-ca = "c"\n', [("note", 8, "requests that come without TLS are answered 403")]),
        ("", 'client-ca = "c"\nhttps-redirect = true\n', []),
    ],
)
def test_client_certificates(
    examine_text: Examine, server: str, host: str, expected: list[tuple[str, int, str]]
) -> None:
    found = told(examine_text, f"{CERTIFIED}{server}{HOST}{host}")
    assert [each[:2] for each in found] == [each[:2] for each in expected]
    assert all(mine[2].startswith(wanted[2]) for mine, wanted in zip(found, expected, strict=True))


REDIRECT = "https-redirect = true\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{CERTIFIED}{HOST}{REDIRECT}", []),
        (f"{CERTIFIED}{REDIRECT}{HOST}", []),
        (f"{PLAIN}{HOST}{REDIRECT}", [("warning", 6, "nothing listens with TLS for a")]),
        (f'{PLAIN}trusted-proxies = "127.0.0.1"\n{HOST}{REDIRECT}', []),
        (
            f'{PLAIN}{HOST}[vhost.a.route."/x"]\n{REDIRECT}',
            [("warning", 7, "nothing listens with TLS")],
        ),
        (
            f'{PLAIN}{HOST}{REDIRECT}bind-ssl = "127.0.0.1:0"\nbind = "81"\ncertificate = "x"\n',
            [("warning", 3, "no virtualhost"), ("warning", 6, "the port that a is sent to")],
        ),
        (
            f'[blastbeat]\n{ZMQ}bind-ssl = "443"\ncertificate = "x"\n{HOST}{REDIRECT}',
            [("note", 7, "every request comes with TLS")],
        ),
    ],
)
def test_redirects(examine_text: Examine, text: str, expected: list[tuple[str, int, str]]) -> None:
    found = told(examine_text, text)
    assert [each[:2] for each in found] == [each[:2] for each in expected]
    assert all(mine[2].startswith(wanted[2]) for mine, wanted in zip(found, expected, strict=True))


def test_one_address_speaks_one_of_both(examine_text: Examine) -> None:
    text = f'[blastbeat]\n{ZMQ}bind = "80"\nbind-ssl = "80"\ncertificate = "x"\n{HOST}'
    assert [(severity, line) for severity, line, _ in told(examine_text, text)] == [("error", 4)]


def test_proxy_protocol_is_for_both(examine_text: Examine) -> None:
    config, problems = examine_text(
        f'[blastbeat]\n{ZMQ}bind-ssl = "443 proxy-protocol"\ncertificate = "x"\n{HOST}'
    )
    assert config is not None and config.server.bind_ssl[0].proxy_protocol
    assert [problem.message for problem in problems] == [
        "nobody gets in: a PROXY header is believed from trusted-proxies only, and there are none"
    ]


def test_a_route_says_nothing_of_certificates(examine_text: Examine) -> None:
    found = told(examine_text, f'{CERTIFIED}{HOST}[vhost.a.route."/x"]\nclient-verify = "off"\n')
    assert [(severity, line) for severity, line, _ in found] == [("error", 9)]
    assert "clients show their certificate before" in found[0][2]

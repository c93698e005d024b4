"""What check says of listeners, host names and nodes."""

from __future__ import annotations

import pytest

from tests.helpers.examine import Examine

SERVER = '[blastbeat]\nbind = "127.0.0.1:8080"\nzmq = "tcp://127.0.0.1:5000"\n'
B = '[vhost.b]\nnode = "n"\n'


def told(examine_text: Examine, text: str) -> list[tuple[str, int, str]]:
    _, problems = examine_text(text)
    return [
        (problem.severity, problem.line, problem.message)
        for problem in problems
        if problem.severity != "note"
    ]


def test_the_original_s_example(examine_text: Examine) -> None:
    text = "[blastbeat]\nbind = 0.0.0.0:8080\nzmq = tcp://127.0.0.1:5000\n\n"
    config, (problem,) = examine_text(f"{text}[blastbeat:localhost:8000]\nnode = foobar1\n", "seed.ini")

    assert config is not None
    assert problem.severity == "warning"
    assert problem.message == "no listener has port 8000 (those that reach this virtualhost: 8080)"
    assert (problem.section, problem.line) == ("blastbeat:localhost:8000", 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f'{SERVER}[vhost."a:8080"]\nnode = "n"\n', []),
        (f'{SERVER}[vhost.a]\nnode = "n"\n', []),
        (
            f'{SERVER}[vhost.a]\nnode = "n"\nalias = ["b:8080", "c:81"]\n',
            [("warning", 6, "no listener has port 81 (those that reach this virtualhost: 8080)")],
        ),
        # Its own addresses are the only ones.
        (
            f'{SERVER}[vhost."a:8080"]\nnode = "n"\nbind = ["[::1]:81", "[::1]:82"]\n[vhost.b]\nnode="n"\n',
            [("warning", 4, "no listener has port 8080 (those that reach this virtualhost: 81, 82)")],
        ),
        (f'{SERVER.replace("8080", "0")}[vhost."a:81"]\nnode = "n"\n', []),
        (f"{SERVER}", [("warning", 1, "there is no virtualhost: every request will be answered 404")]),
        (
            '[blastbeat]\nzmq = "ipc://x"\n[vhost.a]\nnode = "n"\n',
            [("error", 1, "nothing listens: there is neither bind nor bind-ssl")],
        ),
        (
            '[blastbeat]\nzmq = "ipc://x"\n[vhost.a]\nnode = "n"\nbind = "8081"\n[vhost.b]\nnode = "n"\n',
            [("error", 6, "no listener reaches it: neither it nor [blastbeat] has a bind or bind-ssl")],
        ),
        (
            f'{SERVER}[vhost.a]\nnode = "n"\nbind = "127.0.0.1:8081"\n',
            [("warning", 2, "no virtualhost is reachable here: each has addresses of its own")],
        ),
        # HTTPS is enough to be reached.
        (
            f'{SERVER}[vhost."a:8443"]\nnode = "n"\nbind-ssl = "127.0.0.1:8443"\ncertificate = "x"\n{B}',
            [],
        ),
        (
            f'{SERVER}[vhost."a:81"]\nnode = "n"\nbind-ssl = "127.0.0.1:8443"\ncertificate = "x"\n{B}',
            [("warning", 4, "no listener has port 81 (those that reach this virtualhost: 8443)")],
        ),
    ],
)
def test_listeners(examine_text: Examine, text: str, expected: list[tuple[str, int, str]]) -> None:
    assert told(examine_text, text) == expected


def test_https_alone_is_enough(examine_text: Examine) -> None:
    text = '[blastbeat]\nbind-ssl="8443"\ncertificate="x"\nzmq="ipc://x"\n[vhost.a]\nnode="n"\n'
    assert told(examine_text, text) == []


def test_a_bad_bind_is_one_problem(examine_text: Examine) -> None:
    found = told(examine_text, SERVER.replace("127.0.0.1:8080", "x") + '[vhost."a:80"]\nnode = "n"\n')

    assert [line for _, line, _ in found] == [2]


def test_an_address_is_plain_or_not(examine_text: Examine) -> None:
    found = told(
        examine_text,
        f'{SERVER}bind-ssl = ["127.0.0.1:1", "127.0.0.1:8080"]\ncertificate = "x"\n[vhost.a]\nnode = "n"\n',
    )

    assert [(severity, line) for severity, line, _ in found] == [("error", 4)]
    assert "it is one or the other" in found[0][2]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("example.org", "EXAMPLE.org"),
        ("example.org", "example.org."),
        ("example.org:8080", "Example.org.:8080"),
        ("*.example.org", "*.EXAMPLE.org"),
        ("[::1]", "[0::1]"),
    ],
)
def test_two_virtualhosts_of_one_name(examine_text: Examine, first: str, second: str) -> None:
    found = told(examine_text, f'{SERVER}[vhost."{first}"]\nnode = "n"\n[vhost."{second}"]\nnode = "n"\n')

    assert [(severity, line) for severity, line, _ in found] == [("error", 6)]
    assert f'{second} is taken: [vhost."{first}"] at ' in found[0][2]
    assert found[0][2].endswith("test.toml:4")


def test_an_alias_that_is_taken(examine_text: Examine) -> None:
    text = f'{SERVER}[vhost.a]\nnode = "n"\nalias = ["b", "c"]\n'
    text += '[vhost.b]\nnode = "n"\n[vhost.d]\nnode = "n"\nalias = ["x",\n"C"]\n'

    found = told(examine_text, text)

    assert [(severity, line) for severity, line, _ in found] == [("error", 7), ("error", 12)]
    assert "b is taken: alias at " in found[0][2]
    assert "C is taken: alias at " in found[1][2]


def test_an_alias_that_says_its_own_name(examine_text: Examine) -> None:
    found = told(examine_text, f'{SERVER}[vhost.a]\nnode = "n"\nalias = "A."\n')

    assert found == [("warning", 6, "A. is a name of this virtualhost already")]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("localhost", "localhost:8080"),
        ("example.org", "*.example.org"),
        ("*", "example.org"),
    ],
)
def test_names_that_differ(examine_text: Examine, first: str, second: str) -> None:
    text = f'{SERVER}[vhost."{first}"]\nnode = "n"\n[vhost."{second}"]\nnode = "n"\n'

    assert told(examine_text, text) == []


def test_one_name_on_two_listeners_is_two_names(examine_text: Examine) -> None:
    text = f'{SERVER}[vhost.a]\nnode = "n"\n[vhost.b]\nnode = "n"\nalias = "a"\nbind = "127.0.0.1:81"\n'

    assert told(examine_text, text) == []
    shared = text.replace("127.0.0.1:81", "127.0.0.1:8080")
    assert [(severity, line) for severity, line, _ in told(examine_text, shared)] == [("error", 8)]


def test_a_virtualhost_needs_a_node_or_at_least_a_filter(examine_text: Examine) -> None:
    found = told(examine_text, f'{SERVER}[vhost.a]\n[vhost.b]\nfilters = "answer"\n')

    assert found == [
        ("error", 4, "it has no node, so nobody answers its requests"),
        ("warning", 5, "it has no node: what its filters do not answer is answered 503"),
    ]


def test_a_bad_node_is_one_problem(examine_text: Examine) -> None:
    found = told(examine_text, f'{SERVER}[vhost.a]\nnode = "a/b"\n')

    assert [line for _, line, _ in found] == [5]


PROXIED = SERVER.replace('8080"', '8080 proxy-protocol"')
TRUSTED = PROXIED + 'trusted-proxies = "10.0.0.0/8"\n'


@pytest.mark.parametrize(
    ("server", "vhost", "expected"),
    [
        (TRUSTED, "", []),
        (
            PROXIED,
            "",
            [("warning", 2, "nobody gets in: a PROXY header is believed from trusted-proxies only")],
        ),
        (SERVER, 'bind = "[::1]:81 proxy-protocol"\n', [("warning", 6, "nobody gets in: ")]),
        (TRUSTED, 'bind = "127.0.0.1:8080 proxy-protocol"\n', []),
        (
            TRUSTED,
            'bind = "127.0.0.1:8080"\n',
            [("error", 7, "with proxy-protocol in one place and without")],
        ),
    ],
)
def test_who_may_tell_of_another_client(
    examine_text: Examine, server: str, vhost: str, expected: list[tuple[str, int, str]]
) -> None:
    hosts = f'[vhost.a]\nnode = "n"\n{vhost}[vhost.b]\nnode = "n"\n'
    found = told(examine_text, server + hosts)
    assert [(severity, line) for severity, line, _ in found] == [each[:2] for each in expected]
    assert all(
        message.startswith(begin) for (_, _, message), (_, _, begin) in zip(found, expected, strict=True)
    )

"""What check says of options as such: not active yet, unknown plugin objects, bounds between options."""

from __future__ import annotations

import pytest

from tests.helpers.examine import Examine

SERVER = '[blastbeat]\nbind = "127.0.0.1:8080"\nzmq = "tcp://127.0.0.1:5000"\n'
VHOST = '[vhost.x]\nnode = "n"\n'
KNOWN = {
    "driver": ["h11"],
    "websocket-driver": ["wsproto"],
    "encoder": ["uwsgi", "headers"],
    "selector": ["least-connections", "round-robin"],
    "node-authenticator": ["identity"],
    "filter": [],
}


def test_an_option_that_is_not_active_yet_is_a_note(examine_text: Examine) -> None:
    config, problems = examine_text(f"{SERVER}{VHOST}cache = 64\n")

    assert config is not None
    assert [(problem.severity, problem.line, problem.key, problem.message) for problem in problems] == [
        ("note", 6, "cache", "not active yet"),
    ]


def test_but_its_value_is_looked_at_all_the_same(examine_text: Examine) -> None:
    config, problems = examine_text(f"{SERVER}{VHOST}cache = 'big'\n")

    assert config is None
    assert [(problem.severity, problem.key) for problem in problems] == [("error", "cache")]


def test_plugin_objects_nobody_offers(examine_text: Examine) -> None:
    text = f'{SERVER}driver = "h12"\n{VHOST}selector = "round-robbin key=1"\nfilters = ["a", "b"]\n'
    text += 'request-encoder = "headers"\nrequest-authenticators = "address"\n'

    config, problems = examine_text(text, known=KNOWN)

    assert config is None
    assert [(problem.line, problem.key, problem.message, problem.hint) for problem in problems] == [
        (4, "driver", "no plugin offers the driver 'h12'", "did you mean 'h11'?"),
        (7, "selector", "no plugin offers the selector 'round-robbin'", "did you mean 'round-robin'?"),
        (8, "filters", "no plugin offers the filter 'a'", "no plugin offers a filter"),
        (8, "filters", "no plugin offers the filter 'b'", "no plugin offers a filter"),
        (
            10,
            "request-authenticators",
            "no plugin offers the request authenticator 'address'",
            "no plugin offers a request authenticator",
        ),
    ]


def test_known_ones_are_fine_and_so_is_not_knowing(examine_text: Examine) -> None:
    text = f'{SERVER}driver = "auto"\nselector = "round-robin"\n{VHOST}node-authenticators = "identity"\n'

    assert examine_text(text, known=KNOWN)[1] == []
    assert examine_text(text.replace("round", "square"))[1] == []


def test_a_name_like_no_other_gets_the_list(examine_text: Examine) -> None:
    _, (problem,) = examine_text(f'{SERVER}{VHOST}selector = "xyz"\n', known=KNOWN)

    assert problem.hint == "there are least-connections, round-robin"


@pytest.mark.parametrize(
    ("text", "severity", "key"),
    [
        ('max-message = "8MiB"', "error", "max-message"),
        ('writequeue-buffer = "64MiB"', "error", "writequeue-buffer"),
        ('writequeue-buffer = "65MiB"\nmax-message = "64MiB"', "error", "max-message"),
        ('max-head = "16KiB"', "warning", "max-head"),
        ('session-share = "9MiB"', "warning", "session-share"),
    ],
)
def test_bounds_between_options(examine_text: Examine, text: str, severity: str, key: str) -> None:
    _, problems = examine_text(f"{SERVER}{text}\n{VHOST}")

    assert [(problem.severity, problem.key) for problem in problems] == [(severity, key)]
    assert "must lie above" in problems[0].message


def test_no_bound_is_held_against_a_value_that_could_not_be_read(examine_text: Examine) -> None:
    _, problems = examine_text(f'{SERVER}max-message = "8MiB"\nwritequeue-buffer = "x"\n{VHOST}')

    assert [problem.key for problem in problems] == ["writequeue-buffer"]

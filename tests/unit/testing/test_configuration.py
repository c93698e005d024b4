"""Tests of `blastbeat.testing.configuration`: what a test leaves out is added, what it says stays."""

from __future__ import annotations

import tomllib

import pytest

from blastbeat.testing.configuration import SERVER_DEFAULTS, VIRTUALHOST_DEFAULTS, complete, format_tables


def test_nothing_said_is_a_whole_configuration() -> None:
    for text, further in (complete(""), complete({})):
        assert tomllib.loads(text) == {"plugins": {"load": []}, "vhost": {"*": VIRTUALHOST_DEFAULTS}}
        assert further == SERVER_DEFAULTS


def test_text_stays_on_its_lines() -> None:
    said = '[vhost."a.test"]\nnode = "b"\n\n[blastbeat]\nbind = "127.0.0.2:0"'
    text, further = complete(said)
    assert text.startswith(said + "\n")
    assert tomllib.loads(text) == {**tomllib.loads(said), "plugins": {"load": []}}
    assert further == {key: value for key, value in SERVER_DEFAULTS.items() if key != "bind"}


def test_tables_are_completed_one_by_one() -> None:
    text, _ = complete(
        {
            "vhost": {
                "a.test": {"filters": ["tag"]},
                "b.test": {"node": ["b"], "route": {"x": {"path": "/x"}}},
            },
            "plugins": {"disabled": ["limits"]},
            "plugin": {"tag": {"word": 'say "hi"', "most": 3}},
        }
    )
    assert tomllib.loads(text) == {
        "vhost": {
            "a.test": {**VIRTUALHOST_DEFAULTS, "filters": ["tag"]},
            "b.test": {**VIRTUALHOST_DEFAULTS, "node": ["b"], "route": {"x": {"path": "/x"}}},
        },
        "plugins": {"load": [], "disabled": ["limits"]},
        "plugin": {"tag": {"word": 'say "hi"', "most": 3}},
    }


def test_a_listener_with_tls_alone_gets_no_other() -> None:
    assert "bind" not in complete({"blastbeat": {"bind-ssl": "127.0.0.1:0"}})[1]


def test_text_that_is_no_toml_is_left_to_the_server() -> None:
    assert complete("[vhost") == ("[vhost", {})


def test_a_value_in_place_of_a_table_is_told() -> None:
    with pytest.raises(TypeError, match=r"\[vhost\] must be a table, not 3"):
        format_tables({"vhost": 3})

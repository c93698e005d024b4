"""The keys of plans: what is taken, what is refused, and the scheme of their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from blastbeat_policy.keys import CUSTOMER_KEYS, OWN_KEYS, PLAN_KEYS, PREFIXES, Page, UsageFile


@pytest.mark.parametrize("name", ["sessions", "new-sessions", "requests", "messages", "upload", "download"])
def test_each_limit_is_there_at_each_level(name: str) -> None:
    for prefix in PREFIXES:
        assert f"{prefix}{name}" in PLAN_KEYS
        assert (f"{prefix}{name}-burst" in PLAN_KEYS) is (name != "sessions")


def test_a_customer_may_say_all_that_a_plan_may() -> None:
    assert set(CUSTOMER_KEYS) == {"plan", *PLAN_KEYS}


@pytest.mark.parametrize("key", ["requests", "client-download", "sessions", "traffic", "methods", "nodes"])
def test_limits_can_be_lifted(key: str) -> None:
    assert PLAN_KEYS[key](" Unlimited ") is None


@pytest.mark.parametrize(
    ("key", "written", "words"),
    [
        ("requests", "fast", "is not a rate"),
        ("requests", "0/s", "from 1/h to 1000000/s"),
        ("sessions", 0, "from 1 to"),
        ("download", "1B/s", "from 1kbit/s"),
        ("traffic", "1 parsec", "unknown unit"),
        ("max-body", 0, "must be from"),
        ("methods", "get", "in capitals"),
        ("node-networks", "localhost", "no address or network"),
        ("messages-over", "drop", "one of slow, close"),
        ("maintenance", "maybe", "neither yes nor no"),
        ("maintenance-retry-after", "90d", "must be from"),
    ],
)
def test_values_refused(key: str, written: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PLAN_KEYS[key](written)


def test_a_page_is_read_from_the_folder_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(b"<p>later")
    assert Page(1000).in_folder(str(tmp_path))("page.html") == b"<p>later"
    with pytest.raises(ValueError, match="cannot be read"):
        Page(1000).in_folder(str(tmp_path))("none.html")


def test_the_file_of_usage_need_not_be_there_but_its_folder(tmp_path: Path) -> None:
    validate = UsageFile().in_folder(str(tmp_path))
    assert validate("usage.sqlite") == str(tmp_path / "usage.sqlite")
    assert validate("") == ""
    with pytest.raises(ValueError, match="does not exist"):
        validate("none/usage.sqlite")
    with pytest.raises(ValueError, match="is a folder"):
        validate(str(tmp_path))


@pytest.mark.parametrize("name", ["Europe/Nowhere", "../etc/passwd", "", "/etc/localtime"])
def test_time_zones_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        OWN_KEYS["timezone"](name)


def test_time_zones() -> None:
    assert OWN_KEYS["timezone"]("Europe/Rome") == "Europe/Rome"

"""Networks as they are written, and who is in them."""

from __future__ import annotations

import pytest

from blastbeat.networks import Networks, networks


@pytest.mark.parametrize("written", ["::ffff:10.0.0.0/104", "::ffff:a00:0/104", "10.0.0.1/8"])
@pytest.mark.parametrize("prefix", ["", "::ffff:"])
def test_networks_of_ipv4_in_other_clothes(written: str, prefix: str) -> None:
    found = Networks(networks(written), ())
    assert found.admit(f"{prefix}10.1.2.3")
    assert not found.admit(f"{prefix}11.1.2.3")


def test_who_is_in_none_that_is_allowed_or_in_one_that_is_denied_is_out() -> None:
    found = Networks(networks(["10.0.0.0/8", "2001:db8::/32"]), networks("10.9.0.0/16"))
    assert found.admit("10.1.2.3") and found.admit("2001:db8::1%eth0")
    assert not found.admit("10.9.1.2") and not found.admit("192.0.2.1")
    assert not found.admit("localhost") and not found.admit("")


@pytest.mark.parametrize(
    ("written", "words"), [("", "is empty"), ("10.0.0.0/33", "no address or network"), (3, "not a text")]
)
def test_what_is_no_network(written: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        networks(written)

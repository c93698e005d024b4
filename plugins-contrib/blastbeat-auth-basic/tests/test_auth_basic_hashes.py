"""Each form of hash against what other programs made of the same passwords."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_basic_case import ANNA, BERT, CARL
from blastbeat_auth_basic.hashes import cost_of, fault_of, fits, is_weak


def hash_of(line: str) -> bytes:
    return line.partition(":")[2].encode()


# `openssl passwd -salt salt` of so many p: one byte around the length of a digest takes another path.
BY_OPENSSL = {
    1: (
        b"$apr1$salt$zLe23NBWmvJnTgqAMYT/O.",
        b"$5$salt$0f9LjqmzljHtZCIgGD9ei0VROL69ny5hCKZKrg1RPs9",
        b"$6$salt$BXyrstkgSyErowvJGOokNhh9f/aSAl7AWKdxdHfngLkMMVQ2ynbYGLpvtENMNa4bjrDa4JmRjGRd/0nlL9Tj31",
    ),
    15: (
        b"$apr1$salt$i0Z5FMtF84Q3FJrLXcaJl.",
        b"$5$salt$I.6RIEbQ0ROTNmahPJXVOn6eTaVDJF28in4iecwKxiB",
        b"$6$salt$lvshyuIpILPm2SDbtFkZ2OpMFQWxWToRCXIWxOWrBrotRtmBVTv4jthFhp278V6vkSd1kW0N5Zghu.kNXp0km.",
    ),
    16: (
        b"$apr1$salt$LhuJXBOnv.B/FNQScn5el/",
        b"$5$salt$1q15OyAsoT4fvOHBRN3CU7U5fPhLe/.8lpqsRp7ZkZ4",
        b"$6$salt$k1WjbJncuoFpRvKG2f1nA9wd2Z5g3qtmUG7rU/kfAX4ll24dh21A2aqVM434yN7huVhy7/5KdBB6l0QeYiOVs0",
    ),
    17: (
        b"$apr1$salt$xAUDABJbsu2IgeH.frGen1",
        b"$5$salt$qu0CXPqdrCiESLHtKpF5rSwbE6.Chy17XO.p3erexQB",
        b"$6$salt$.oRTAmTLT9POdlhfkQEfQXr7mN00wc4bsqGJXFE48TLoRLhQzGBF4Sl/qffWBvlMCsSD1dRqIHQulrYcfy3YN1",
    ),
    31: (
        b"$apr1$salt$y6mH7Oyn26e4v3fpBtQOI1",
        b"$5$salt$N1g95/LhiLY/5J.cikE2HIS2jDkujFJoZDlKQ/Y./T4",
        b"$6$salt$6bBiygxnujOzvKcvi.kGfqRO7G4/Sboj46v0CPO.3RZ7Bp/222qnmXW7uc0bAAFGPGuFn4gJ7CyWUPvyovq6H/",
    ),
    32: (
        b"$apr1$salt$aSyZ5IsPzpBxJvkICEgNl1",
        b"$5$salt$qYiQnjAyIT9Zq5kKg1xqib0lW3kHkxdRRhEx3zZWtu9",
        b"$6$salt$IeTBGR1FG7gOm9CzKN.lDHlwEUh5gntLorZ38b1CbPA9D9VUjDuJwgs80gHAlSbZOjL6lj3symqGXdEicxl1d1",
    ),
    33: (
        b"$apr1$salt$pUzORt0DnMTfUVOdWrkYt0",
        b"$5$salt$gzv2angIeyEF0Lh4wF1idWsrlxtDquIJo5HJ1QrnsOD",
        b"$6$salt$7aD.habDSRuhTw9StMscCVe4yUXkOYKUsxmE4CfLn3K5tbcvrn6MVgSyVtD6eJ/CGMUMFHthrpl1QkOCw3U.E1",
    ),
    63: (
        b"$apr1$salt$HawY1Jef4haI8dw1ZiWmj.",
        b"$5$salt$Rz9bYHhTlrgY/Y69f3WJPb3MJptmSBEV6gjZ2BRxyL5",
        b"$6$salt$NB26yABlKnk11nIKmrgOarpL8XkJugbEaD0y96Gjso3r8qPhRuVfti2Gg4ONQLAHuTPgT1ifu8X24P9s7a2ku0",
    ),
    64: (
        b"$apr1$salt$kqjW7m9Vig99tG3/ZVVfb.",
        b"$5$salt$vL100ir9FhKVI.aV953O2GCqtYTrzcpu5oCcYXuDRFC",
        b"$6$salt$W.HgHrlLIRcOsy53i3HymuJIS0aHgsDSv5JCgdNcKIL7jpA0ucGuTZDpkMTofYq4H.2Sqcn0szStsIzmENkZS0",
    ),
    65: (
        b"$apr1$salt$QDqKDdwJO1FczPsEYndDq0",
        b"$5$salt$ct2S45vOtuGQAaU388HpClGgU06US.GHf2e9x8XLCA7",
        b"$6$salt$mEB7y429QALFm6HLZXTkeqy60atxpZtxuEPPqU8hCYHMFQS5i9e3BLmYdwyCja4FilrDFtRfwYOBB3Nh68d3X.",
    ),
    100: (
        b"$apr1$salt$b.S2yVhgt80WCx4buLtHE0",
        b"$5$salt$vcdjpNMSq4MUxxon4ccaGC5R/zVfv7wxKOhrOkaOt91",
        b"$6$salt$97Xx4rzjguZsUd21hlQykJ9TlNIAsqctiPzSC7KzwHjL00NKo6wJ3TNMZfHGI4D6fEemowSxXC3eO5yljnd0Q0",
    ),
}


@pytest.mark.parametrize("length", BY_OPENSSL)
def test_what_openssl_makes_is_read(length: int) -> None:
    for hashed in BY_OPENSSL[length]:
        assert fault_of(hashed) == ""
        assert fits(b"p" * length, hashed)
        assert not fits(b"p" * (length + 1), hashed)


@pytest.mark.parametrize(("password", "line"), [("sesame", ANNA), ("s\u00e9cret 1", BERT), ("Hello", CARL)])
def test_the_password_fits_and_no_other_does(password: str, line: str) -> None:
    hashed = hash_of(line)
    assert fault_of(hashed) == ""
    assert fits(password.encode(), hashed)
    for other in (password + "x", password[:-1], password.upper(), ""):
        assert not fits(other.encode(), hashed), other


def test_rounds_and_a_salt_as_long_as_it_may_be() -> None:
    """By crypt(3) of glibc 2.36."""
    hashed = b"$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"
    assert fits(b"Hello world!", hashed)


def test_bcrypt_looks_at_72_bytes_like_htpasswd() -> None:
    # bcrypt.hashpw(b"p" * 72, ...)
    hashed = b"$2y$04$n1LAPOPS.zacvMELR239VeF/ZLD.qQJOLFqPApmWbm1c.WU4bttLa"
    assert fits(b"p" * 72, hashed) and fits(b"p" * 100, hashed)
    assert not fits(b"p" * 71, hashed)


@pytest.mark.parametrize(
    ("hashed", "fault"),
    [
        (b"", "no hash"),
        (b"sesame", "no hash"),
        (b"{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "SHA-1 without salt"),
        (b"{PLAIN}sesame", "plain text"),
        (b"rl0uE9KRpHFSU", "no hash"),
        (b"$1$salt$qJH7.N4xYta3aEG/dfqo/0", "md5-crypt"),
        (b"$y$j9T$x$y", "not known here"),
        (b"$2y$31$CRe.BhstLHjQH3M4DRqHB.6UBm3cSMow88TjmPiSOAohgBveGX9UO", "cost of 31"),
        (b"$2y$04$CRe.BhstLHjQH3M4DRqHB.6UBm3cSMow88TjmPiSOAohgBveGX9", "no hash"),
        (b"$6$rounds=999999999$salt$" + b"x" * 86, "999999999 rounds"),
        (b"$6$rounds=10$salt$" + b"x" * 86, "10 rounds"),
        (b"$6$salt$" + b"x" * 85, "cut off"),
        (b"$5$salt$" + b"x" * 86, "cut off"),
        (b"$apr1$salt$short", "no hash"),
    ],
)
def test_what_is_no_hash_is_told_apart(hashed: bytes, fault: str) -> None:
    assert fault in fault_of(hashed)


def test_only_apr1_is_weak() -> None:
    assert [is_weak(hash_of(line)) for line in (ANNA, BERT, CARL)] == [False, True, False]


def test_costs_are_ordered_by_what_they_take() -> None:
    cheap = b"$2b$04$CRe.BhstLHjQH3M4DRqHB.6UBm3cSMow88TjmPiSOAohgBveGX9UO"
    dear = cheap.replace(b"$04$", b"$12$")
    assert cost_of(hash_of(BERT)) < cost_of(b"$6$salt$" + b"x" * 86) < cost_of(dear)
    assert cost_of(cheap) < cost_of(dear)


@given(st.binary(max_size=100) | st.from_regex(rb"\$(2y|5|6|apr1)\$[!-~]{0,80}", fullmatch=True))
def test_anything_is_a_hash_or_has_a_fault(hashed: bytes) -> None:
    if not fault_of(hashed) and cost_of(hashed) < 10_000:
        assert fits(b"password", hashed) in (True, False)

"""Tests of `blastbeat.testing.inherited`: one test for several classes, each with the profile's share."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from blastbeat.testing.inherited import SHARE, inherited


class Base:
    def __init__(self) -> None:
        self.tried = 0

    @inherited
    @given(number=st.integers())
    def test_it(self, number: int) -> None:
        self.tried += 1


class One(Base): ...


class Other(Base): ...


def test_each_class_tries_its_share_and_hypothesis_does_not_mind() -> None:
    profile = settings.default
    assert profile is not None
    for kind in (One, Other):
        subject = kind()
        subject.test_it()
        assert 0 < subject.tried <= profile.max_examples // SHARE

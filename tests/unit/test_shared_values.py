"""One object for equal values, as many as there is room for."""

from __future__ import annotations

from blastbeat.shared_values import MAX_BYTES, MAX_VALUES, SharedValues


def test_equal_values_are_one_object() -> None:
    shared = SharedValues()
    first, second = bytes([65, 66]), bytes([65, 66])
    assert first is not second
    assert shared.of(first) is first and shared.of(second) is first
    fields = [(b"user-agent", b"x")]
    assert shared.of_fields(fields) is fields
    assert shared.of_fields([(b"user-agent", b"x")]) is fields
    assert shared.of_fields([(b"user-agent", b"y")]) == [(b"user-agent", b"y")]


def test_long_ones_are_not_kept() -> None:
    shared = SharedValues()
    shared.of(b"x" * (MAX_BYTES + 1))
    again = b"".join([b"x" * MAX_BYTES, b"x"])
    assert shared.of(again) is again
    shared.of_fields([(b"a", b"x" * MAX_BYTES)])
    fields = [(b"a", b"x" * MAX_BYTES)]
    assert shared.of_fields(fields) is fields


def test_it_does_not_grow_for_ever() -> None:
    shared = SharedValues()
    first = b"%d" % 0
    shared.of(first)
    for number in range(1, MAX_VALUES):
        shared.of(b"%d" % number)
    assert shared.of(b"%d" % 0) is first
    shared.of(b"one more")
    later = b"%d" % 0
    assert shared.of(later) is later

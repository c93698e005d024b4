"""Rounds of a ROUTER that is never read empty."""

from __future__ import annotations

from blastbeat.drain_round import MAX_PEERS, DrainRound


def test_nobody_waits() -> None:
    drain = DrainRound(2)
    for _ in range(100):
        drain.count(b"a")
    assert not drain.is_over()


def test_every_peer_that_speaks_is_read_to_its_mark() -> None:
    """Two peers in turn, four messages of each waiting: it is not over before the eighth."""
    drain = DrainRound(4)
    drain.begin(1)
    over_after = 0
    for number in range(1, 100):
        drain.count(b"ab"[number % 2 :][:1])
        if drain.is_over():
            over_after = number
            break
    assert 8 <= over_after < 20


def test_a_new_round_counts_anew() -> None:
    drain = DrainRound(1)
    drain.begin(1)
    for _ in range(10):
        drain.count(b"a")
    assert drain.is_over()
    drain.begin(2)
    assert drain.waiting == 2 and not drain.is_over()
    drain.begin(0)
    assert not drain.is_over()


def test_peers_without_end_do_not_make_it_endless() -> None:
    drain = DrainRound(1)
    drain.begin(1)
    for number in range(3 * MAX_PEERS + 10):
        drain.count(b"%d" % number)
    assert drain.is_over()

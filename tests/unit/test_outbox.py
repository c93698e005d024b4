from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.events import Buffer
from blastbeat.messages import MAX_PAIRS
from blastbeat.outbox import MAX_BATCH_SIZE, MESSAGE_OVERHEAD, Outbox

A, B, C = b"a" * 16, b"b" * 16, b"c" * 16
HUGE = 1 << 30


def new(bound: int = HUGE, share: int = HUGE) -> Outbox:
    return Outbox(bound, share)


def body(size: int) -> bytes:
    """A body that counts as `size` bytes."""
    return b"x" * (size - MESSAGE_OVERHEAD)


def drain(outbox: Outbox, batches: bool = False) -> list[tuple[bytes, bytes, bytes]]:
    gone = []
    while outbox:
        sid, pairs = outbox.next(batches)
        gone += [(sid, name, bytes(data)) for name, data in pairs]
        outbox.sent(sid, len(pairs))
    return gone


def take(outbox: Outbox) -> list[bytes]:
    """One message goes; who may write again."""
    sid, pairs = outbox.next()
    return list(outbox.sent(sid, len(pairs)))


# ---------------------------------------------------------------- order


def test_what_goes_first() -> None:
    outbox = new()
    outbox.put(A, b"body", b"1")
    outbox.put(B, b"uwsgi", b"2", opens_session=True)
    outbox.put_end(C, b"")
    outbox.put_control(b"ping", b"")
    assert drain(outbox) == [
        (b"", b"ping", b""),
        (C, b"end", b""),
        (B, b"uwsgi", b"2"),
        (A, b"body", b"1"),
    ]


def test_the_rest_goes_round_robin() -> None:
    outbox = new()
    for number in (b"1", b"2", b"3"):
        outbox.put(A, b"body", number)
    outbox.put(B, b"body", b"1")
    outbox.put(C, b"body", b"1")
    assert [(sid, data) for sid, _, data in drain(outbox)] == [
        (A, b"1"),
        (B, b"1"),
        (C, b"1"),
        (A, b"2"),
        (A, b"3"),
    ]


@pytest.mark.parametrize("head", [b"uwsgi", b"headers", b"of-a-plugin"])
def test_a_head_waits_for_what_its_session_has_queued(head: bytes) -> None:
    outbox = new()
    outbox.put(A, b"body", b"rest of the first request")
    outbox.put(A, head, b"second request")
    outbox.put(B, head, b"other session")
    assert [sid for sid, _, _ in drain(outbox)] == [B, A, A]


def test_the_body_after_a_head_takes_its_turn_with_the_others() -> None:
    outbox = new()
    outbox.put(A, b"body", b"1")
    outbox.put(A, b"body", b"2")
    outbox.put(B, b"uwsgi", b"head", opens_session=True)
    outbox.put(B, b"body", b"1")
    assert [(sid, name) for sid, name, _ in drain(outbox)] == [
        (B, b"uwsgi"),
        (A, b"body"),
        (B, b"body"),
        (A, b"body"),
    ]


def test_a_head_of_another_name_counts_when_it_opens_the_session() -> None:
    outbox = new()
    outbox.put(A, b"body", b"")
    outbox.put(B, b"my-head", b"", opens_session=True)
    assert outbox.next()[0] == B


# ---------------------------------------------------------------- control


def test_one_of_each_control_type_waits_at_most() -> None:
    outbox = new()
    for number in range(1000):
        outbox.put_control(b"ping", b"credit=%d" % (number + 1))
        outbox.put_control(b"spawn", b"")
    assert drain(outbox) == [(b"", b"ping", b"credit=1000"), (b"", b"spawn", b"")]


def test_a_plain_ping_does_not_replace_one_with_words() -> None:
    outbox = new()
    outbox.put_control(b"ping", b"batch")
    outbox.put_control(b"ping", b"")
    assert drain(outbox) == [(b"", b"ping", b"batch")]


def test_drain_is_the_last_word() -> None:
    outbox = new()
    outbox.put_control(b"ping", b"")
    outbox.put_control(b"drain", b"")
    outbox.put_end(A, b"")
    outbox.put_control(b"ping", b"batch")
    outbox.put_control(b"spawn", b"")
    assert [name for _, name, _ in drain(outbox)] == [b"ping", b"end", b"drain"]


# ---------------------------------------------------------------- end


def test_end_discards_what_its_session_has_queued() -> None:
    outbox = new()
    outbox.put(A, b"body", b"1")
    outbox.put(A, b"body", b"2")
    outbox.put(B, b"body", b"1")
    outbox.put_end(A, b"reason")
    assert drain(outbox) == [(A, b"end", b"reason"), (B, b"body", b"1")]


def test_no_end_for_a_session_the_node_never_heard_of() -> None:
    outbox = new()
    outbox.put(A, b"uwsgi", b"", opens_session=True)
    outbox.put(A, b"body", b"")
    outbox.put_end(A, b"")
    assert not outbox
    assert outbox.size == 0


def test_end_for_a_session_whose_head_has_gone() -> None:
    outbox = new()
    outbox.put(A, b"uwsgi", b"", opens_session=True)
    outbox.put(A, b"body", b"")
    take(outbox)
    outbox.put_end(A, b"")
    assert drain(outbox) == [(A, b"end", b"")]


# ---------------------------------------------------------------- bounds


def test_share_with_hysteresis() -> None:
    outbox = new(share=1000)
    for _ in range(4):
        outbox.put(A, b"body", body(300))
    assert outbox.queued(A) == 1200
    assert [take(outbox) for _ in range(4)] == [[], [], [A], []]


def test_within_its_share_nobody_is_told() -> None:
    outbox = new(share=1000)
    for _ in range(3):
        outbox.put(A, b"body", body(300))
    assert [take(outbox) for _ in range(3)] == [[], [], []]


def test_a_share_is_one_sessions_own() -> None:
    outbox = new(share=1000)
    outbox.put(A, b"body", body(1100))
    outbox.put(B, b"body", body(200))
    assert outbox.queued(B) == 200
    assert take(outbox) == [A]


def test_full_for_new_sessions_over_the_bound() -> None:
    outbox = new(bound=1000)
    outbox.put(A, b"body", body(1000))
    assert not outbox.is_full()
    outbox.put(A, b"body", body(200))
    assert outbox.is_full()
    take(outbox)
    assert not outbox.is_full()


def test_over_the_bound_whoever_writes_is_held() -> None:
    """Else the sum of many small shares would be no bound."""
    outbox = new(bound=1000, share=900)
    outbox.put(A, b"body", body(600))
    outbox.put(B, b"body", body(600))
    assert outbox.crowded
    assert outbox.queued(C) == outbox.queued(B) == 1200
    outbox.put(C, b"body", body(200))
    assert take(outbox) == []  # A's: 800 are left
    assert sorted(take(outbox)) == [B, C]
    assert not outbox.crowded
    assert outbox.queued(C) == 200


def test_who_finds_it_crowded_is_told_when_it_no_longer_is() -> None:
    """Also when what it has to say has not come here yet, and then goes past an empty queue."""
    outbox = new(bound=1000)
    outbox.put(A, b"body", body(1100))
    assert outbox.queued(B) == 1100
    assert sorted(take(outbox)) == [A, B]


def test_those_who_were_held_by_others_are_told_too() -> None:
    outbox = new(bound=1000)
    outbox.put(A, b"body", body(1100))
    outbox.hold([A, B])
    assert sorted(take(outbox)) == [A, B]


def test_room_that_an_end_makes_is_told() -> None:
    outbox = new(bound=1000)
    outbox.put(A, b"uwsgi", body(900), opens_session=True)
    outbox.put(B, b"body", body(300))
    assert outbox.crowded
    assert list(outbox.put_end(A, b"")) == [B]


def test_an_ended_session_is_told_nothing() -> None:
    outbox = new(share=100)
    outbox.put(A, b"body", body(500))
    assert list(outbox.put_end(A, b"")) == []
    assert take(outbox) == []


def test_clear_forgets_everything() -> None:
    outbox = new(bound=100)
    outbox.put_control(b"ping", b"")
    outbox.put_end(B, b"")
    outbox.put(A, b"body", body(500))
    outbox.clear()
    assert not outbox
    assert (outbox.size, outbox.crowded, outbox.queued(A)) == (0, False, 0)


# ---------------------------------------------------------------- batches


def test_a_batch_is_of_one_session() -> None:
    outbox = new()
    for number in (b"1", b"2", b"3"):
        outbox.put(A, b"body", number)
        outbox.put(B, b"body", number)
    sid, pairs = outbox.next(batches=True)
    assert (sid, [data for _, data in pairs]) == (A, [b"1", b"2", b"3"])


def test_batches_are_bounded_in_pairs_and_bytes() -> None:
    outbox = new()
    for _ in range(MAX_PAIRS + 1):
        outbox.put(A, b"body", b"x")
    assert len(outbox.next(batches=True)[1]) == MAX_PAIRS
    outbox.clear()
    outbox.put(A, b"body", b"x" * (MAX_BATCH_SIZE + 1))
    outbox.put(A, b"body", b"x")
    assert len(outbox.next(batches=True)[1]) == 1


def test_no_batches_unless_asked() -> None:
    outbox = new()
    outbox.put(A, b"body", b"1")
    outbox.put(A, b"body", b"2")
    assert len(outbox.next()[1]) == 1


# ---------------------------------------------------------------- anything

SIDS = st.sampled_from([A, B, C])
STEPS = st.one_of(
    st.tuples(st.just("put"), SIDS, st.integers(0, 500)),
    st.tuples(st.just("end"), SIDS, st.just(0)),
    st.tuples(st.just("ping"), SIDS, st.just(0)),
    st.tuples(st.just("take"), SIDS, st.booleans()),
)


@given(st.lists(STEPS, max_size=80))
def test_accounts_and_order_hold(steps: list[tuple[str, bytes, int]]) -> None:
    """Against a plain list per session: nothing is lost, doubled or reordered, and the sizes add up."""
    outbox = new(bound=1500, share=600)
    model: dict[bytes, list[tuple[bytes, bytes]]] = {A: [], B: [], C: []}
    held: set[bytes] = set()
    for number, (step, sid, detail) in enumerate(steps):
        if step == "put" and not (model[sid] and model[sid][0][0] == b"end"):
            data = (b"%d " % number).ljust(detail)
            outbox.put(sid, b"body", data)
            model[sid].append((b"body", data))
            if outbox.queued(sid) > 600:
                held.add(sid)
        elif step == "put":
            outbox.put(sid, b"body", b"nothing follows an end")
        elif step == "end" and not (model[sid] and model[sid][0][0] == b"end"):
            held.discard(sid)
            held -= set(outbox.put_end(sid, b"%d" % number))
            model[sid] = [(b"end", b"%d" % number)]
        elif step == "end":
            outbox.put_end(sid, b"the second one")
        elif step == "ping":
            outbox.put_control(b"ping", b"")
        elif outbox:
            sid, pairs = outbox.next(batches=bool(detail))
            if sid:
                assert model[sid][: len(pairs)] == list(pairs)
                del model[sid][: len(pairs)]
            held -= set(outbox.sent(sid, len(pairs)))
        waiting: list[Buffer] = [data for lane in model.values() for _, data in lane]
        assert outbox.size == sum(len(data) + MESSAGE_OVERHEAD for data in waiting)
        # Nobody is left waiting for a word that will never come.
        assert outbox or not held


@pytest.mark.parametrize("type", [b"uwsgi", b"headers", b"of-a-plugin"])
def test_a_head_that_waits_was_seen_by_nobody(type: bytes) -> None:
    outbox = new()
    outbox.put(b"a", type, b"head", opens_session=True)
    outbox.put(b"a", b"body", b"data")
    outbox.put(b"b", b"body", b"of a request that went")
    assert outbox.has_head(b"a") and not outbox.has_head(b"b") and not outbox.has_head(b"c")
    take(outbox)
    assert not outbox.has_head(b"a"), "its head has gone"
    outbox.put(b"b", type, b"its next request")
    assert outbox.has_head(b"b")


def test_other_bounds() -> None:
    outbox = Outbox(10_000, 1_000)
    outbox.put(b"a", b"body", bytes(5_000))
    assert not outbox.is_full()
    outbox.resize(4_000, 1_000)
    assert outbox.is_full()

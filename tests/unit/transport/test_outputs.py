"""Writing out once per turn, and the account of what clients have not taken."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.transport.outputs import OutputAccount, Outputs
from tests.helpers.engine_fakes import FakeClock
from tests.helpers.transport_fakes import FakeLoop


class Writer:
    """Has something to write."""

    def __init__(self, on_flush: Callable[[], None] = lambda: None) -> None:
        self.flushed = 0
        self.broken = 0
        self.on_flush = on_flush

    def flush(self) -> None:
        self.flushed += 1
        self.on_flush()

    def broke(self) -> None:
        self.broken += 1


def make() -> tuple[Outputs, FakeLoop]:
    loop = FakeLoop(FakeClock())
    return Outputs(loop.as_loop()), loop


def test_all_are_written_at_the_end_of_the_turn() -> None:
    outputs, loop = make()
    writers = [Writer() for _ in range(3)]
    for writer in writers:
        outputs.add(writer)
    assert [writer.flushed for writer in writers] == [0, 0, 0]
    loop.run()
    assert [writer.flushed for writer in writers] == [1, 1, 1]


def test_written_now_is_not_written_again() -> None:
    outputs, loop = make()
    writer = Writer()
    outputs.add(writer)
    outputs.flush()
    loop.run()
    assert writer.flushed == 1


def test_each_turn_has_its_own_end() -> None:
    outputs, loop = make()
    writer = Writer()
    for _ in range(3):
        outputs.add(writer)
        loop.run()
    assert writer.flushed == 3


def test_what_comes_together_while_writing_is_written_too() -> None:
    outputs, loop = make()
    late = Writer()
    outputs.add(Writer(lambda: outputs.add(late)))
    outputs.flush()
    assert late.flushed == 1
    loop.run()
    assert late.flushed == 1


def test_one_that_breaks_keeps_nobody_else_from_writing() -> None:
    outputs, loop = make()

    def fail() -> None:
        raise TypeError("a text where bytes belong")

    before, broken, after = Writer(), Writer(fail), Writer()
    for writer in (before, broken, after):
        outputs.add(writer)
    loop.run()
    assert not loop.failures
    assert (before.flushed, after.flushed) == (1, 1)
    assert (before.broken, broken.broken, after.broken) == (0, 1, 0)


# ---------------------------------------------------------------- the account


class Queue:
    """A congested client: `size` is what it has queued now, `known` what the account was told last."""

    def __init__(self, account: OutputAccount, size: int = 0) -> None:
        self.account = account
        self.size = size
        self.is_closed = False

    def queued_bytes(self) -> int:
        return self.size

    def close_for_memory(self) -> None:
        assert not self.is_closed, "closed twice"
        self.is_closed = True
        self.size = 0
        self.account.update(self, "any", 0)  # as `ClientOutput._abort` does


UPDATES = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["a", "b", "c"]), st.integers(0, 100)), max_size=60
)


@given(UPDATES)
def test_the_sums_are_exact(updates: list[tuple[int, str, int]]) -> None:
    """Also when a connection goes on with another virtualhost."""
    account = OutputAccount(0)
    queues = [Queue(account) for _ in range(6)]
    truth: dict[int, tuple[str, int]] = {}
    for which, name, size in updates:
        queues[which].size = size
        truth[which] = (name, size)
        account.update(queues[which], name, size)
        assert account.total == sum(size for _, size in truth.values())
        for name in "abc":
            limit = sum(size for each, size in truth.values() if each == name)
            account.enforce(name, limit or 1)  # exactly its sum: nothing is closed
    assert not any(queue.is_closed for queue in queues)
    for which in truth:
        account.update(queues[which], "a", 0)
    assert account.total == 0


@given(UPDATES, st.integers(1, 300), st.integers(0, 300))
def test_never_more_than_the_limits(updates: list[tuple[int, str, int]], per_host: int, in_all: int) -> None:
    account = OutputAccount(in_all)
    queues = [Queue(account) for _ in range(6)]
    names: dict[int, str] = {}
    for which, name, size in updates:
        queue = queues[which]
        if queue.is_closed:
            continue
        queue.size, names[which] = size, name
        account.update(queue, name, size)
        account.enforce(name, per_host)
        sizes = [(names[each], queues[each].size) for each in names]
        assert sum(size for each, size in sizes if each == name) <= per_host
        assert account.total == sum(size for _, size in sizes)
        assert not in_all or account.total <= in_all


@pytest.mark.parametrize("limit", ["virtualhost", "server"])
def test_the_largest_goes(limit: str) -> None:
    account = OutputAccount(100 if limit == "server" else 0)
    small, large, middle = (Queue(account, size) for size in (20, 60, 30))
    for queue in (small, large, middle):
        account.update(queue, "a", queue.size)
        account.enforce("a", 100 if limit == "virtualhost" else 0)
    assert (small.is_closed, large.is_closed, middle.is_closed) == (False, True, False)
    assert account.total == 50


def test_one_virtualhosts_clients_do_not_cost_anothers() -> None:
    account = OutputAccount(0)
    large, small = Queue(account, 90), Queue(account, 20)
    account.update(large, "a", 90)
    account.update(small, "b", 20)
    account.enforce("b", 10)
    assert small.is_closed and not large.is_closed


def test_over_the_servers_limit_the_largest_virtualhost_pays() -> None:
    account = OutputAccount(105)
    many, one = [Queue(account, 30) for _ in range(3)], Queue(account, 40)
    for queue in many:
        account.update(queue, "many", 30)
    account.update(one, "one", 40)
    account.enforce("one", 0)
    assert not one.is_closed and sum(queue.is_closed for queue in many) == 1


def test_what_clients_have_taken_meanwhile_is_looked_at_first() -> None:
    """Nobody is closed for what is not queued any more."""
    account = OutputAccount(0)
    quick, slow = Queue(account, 80), Queue(account, 40)
    account.update(quick, "a", 80)
    quick.size = 10
    account.update(slow, "a", 40)
    account.enforce("a", 100)
    assert not quick.is_closed and not slow.is_closed and account.total == 50


def test_without_limits_nobody_goes() -> None:
    account = OutputAccount(0)
    queue = Queue(account, 1 << 40)
    account.update(queue, "a", queue.size)
    account.enforce("a", 0)
    assert not queue.is_closed


@pytest.mark.parametrize("limit", ["virtualhost", "server"])
def test_some_room_is_made_so_that_nobody_is_looked_at_for_each_message(limit: str) -> None:
    """A thousand slow clients: each further message would mean a look at all of them."""
    looks = 0

    class Counted(Queue):
        def queued_bytes(self) -> int:
            nonlocal looks
            looks += 1
            return self.size

    size, bound = 1000, 1_000_000
    account = OutputAccount(bound if limit == "server" else 0)
    queues = [Counted(account, size) for _ in range(2000)]
    for queue in queues:
        account.update(queue, "a", size)
        account.enforce("a", bound if limit == "virtualhost" else 0)
        assert account.total <= bound
    closed = sum(queue.is_closed for queue in queues)
    assert 1000 <= closed <= 1000 + 1000 // 64 + 1
    assert looks <= 1001 * (closed // (1000 // 64) + 1)


def test_the_sum_of_a_virtualhost_is_as_of_now() -> None:
    account = OutputAccount(0)
    queue = Queue(account, 80)
    account.update(queue, "a", 80)
    queue.size = 30
    assert account.queued("a") == 30 and account.queued("b") == 0

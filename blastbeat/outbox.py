"""What waits to go to one instance, and in which order it goes (`design.md` §6).

Messages without a sid first (but `drain`, the last word to an instance), then `end`, then heads, then the
rest, round-robin over sessions; within a sid the order is kept. Bounded in bytes: `share` holds a single
session back, `bound` all of them, and new ones out. Knows no socket: it is asked for the next message and
told when that is gone.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence

from blastbeat.events import Buffer
from blastbeat.messages import DRAIN, END, MAX_PAIRS, NOT_HEADS, PING, SERVER_SID, Pair

MESSAGE_OVERHEAD = 128  # bytes an item costs beside its body: many empty messages are memory too
MAX_BATCH_SIZE = 256 * 1024  # bytes of bodies packed into one message


class _Lane:
    """What one session has waiting."""

    __slots__ = ("items", "opens_session", "size")

    def __init__(self, opens_session: bool) -> None:
        self.items: deque[Pair] = deque()
        self.size = 0
        self.opens_session = opens_session  # the node has not heard of this session yet


class Outbox:
    """The queue before the ROUTER of one instance. All sizes are bytes, overhead included.

    `bound` is where new sessions are refused and every session counts as over its share until the queue is
    under half of it; `share` bounds one session. Neither ever drops a message.
    """

    __slots__ = (
        "_bound",
        "_control",
        "_ends",
        "_heads",
        "_held",
        "_lanes",
        "_rest",
        "_share",
        "crowded",
        "size",
    )

    def __init__(self, bound: int, share: int) -> None:
        self._bound = bound
        self._share = share
        self.clear()

    def resize(self, bound: int, share: int) -> None:
        """Other bounds from now on; what waits is not looked at again before the next message."""
        self._bound = bound
        self._share = share

    def clear(self) -> None:
        """Forgets everything: the instance is gone."""
        self._control: dict[bytes, Buffer] = {}  # type -> body: one of each at most
        self._ends: OrderedDict[bytes, Buffer] = OrderedDict()
        self._lanes: dict[bytes, _Lane] = {}
        self._heads: OrderedDict[bytes, None] = OrderedDict()  # sids whose next message is a head
        self._rest: OrderedDict[bytes, None] = OrderedDict()  # all other sids, in the order of their turns
        self._held: set[bytes] = set()  # sids that were over
        self.size = 0
        self.crowded = False
        """Over the bound, and not under half of it since."""

    def __bool__(self) -> bool:
        return bool(self._control or self._ends or self._lanes)

    # ------------------------------------------------------------ putting in

    def is_full(self) -> bool:
        """No new session may be offered."""
        return self.size > self._bound

    def put_control(self, message_type: bytes, body: Buffer) -> None:
        """A message without a sid. One of each type waits at most, the latest: a node that reads nothing
        can't make this grow. A plain `ping` does not replace one that tells capabilities."""
        if message_type == PING and not len(body) and self._control.get(PING):
            return
        if DRAIN in self._control:
            return
        self._control[message_type] = body

    def put(self, sid: bytes, message_type: bytes, body: Buffer, *, opens_session: bool = False) -> None:
        """A message of a session; `opens_session`: the first head of it, before which the node knows
        nothing of it. Nothing follows an `end`."""
        if sid in self._ends:
            return
        lane = self._lanes.get(sid)
        if lane is None:
            lane = self._lanes[sid] = _Lane(opens_session)
            turns = self._heads if opens_session or message_type not in NOT_HEADS else self._rest
            turns[sid] = None
        size = len(body) + MESSAGE_OVERHEAD
        lane.items.append((message_type, body))
        lane.size += size
        self.size += size
        if self.size > self._bound:
            self.crowded = True
        if self.crowded or lane.size > self._share:
            self._held.add(sid)

    def put_end(self, sid: bytes, body: Buffer) -> Sequence[bytes]:
        """The session is over: what waits for it is discarded, and the node is told, unless it never heard
        of it. Returns the sids that may go on writing now, like `sent`."""
        if sid in self._ends:
            return ()
        lane = self._lanes.get(sid)
        if lane is not None:
            self._remove(sid, lane)
        self._held.discard(sid)
        if lane is None or not lane.opens_session:
            self._ends[sid] = body
            self.size += len(body) + MESSAGE_OVERHEAD
        return self._released(sid)

    def hold(self, sids: Iterable[bytes]) -> None:
        """Counts these sessions as over, too: each is told when there is room again."""
        self._held.update(sids)

    # ------------------------------------------------------------ taking out

    def next(self, batches: bool = False) -> tuple[bytes, Sequence[Pair]]:
        """Sid and pairs of the message to go next; several pairs only with `batches`. It stays until
        `sent`. The outbox must not be empty."""
        if self._is_control_next():
            return SERVER_SID, (next(iter(self._control.items())),)
        if self._ends:
            sid, body = next(iter(self._ends.items()))
            return sid, ((END, body),)
        sid = next(iter(self._heads or self._rest))
        items = self._lanes[sid].items
        if not batches or len(items) == 1:
            return sid, (items[0],)
        return sid, self._batch(items)

    @staticmethod
    def _batch(items: deque[Pair]) -> Sequence[Pair]:
        pairs: list[Pair] = []
        size = 0
        for pair in items:
            size += len(pair[1])
            if pairs and (size > MAX_BATCH_SIZE or len(pairs) == MAX_PAIRS):
                break
            pairs.append(pair)
        return pairs

    def sent(self, sid: bytes, count: int) -> Sequence[bytes]:
        """What `next` gave is gone: `count` pairs of `sid`. Returns the sids that may go on writing now:
        they were over and are under half their share."""
        if self._is_control_next():
            del self._control[next(iter(self._control))]
            return ()
        if self._ends:
            _, body = self._ends.popitem(last=False)
            self.size -= len(body) + MESSAGE_OVERHEAD
        else:
            self._advance(sid, count)
        return self._released(sid)

    def _is_control_next(self) -> bool:
        waiting = self._control
        return bool(waiting) and (DRAIN not in waiting or len(waiting) > 1 or not (self._ends or self._lanes))

    def _advance(self, sid: bytes, count: int) -> None:
        lane = self._lanes[sid]
        lane.opens_session = False
        size = 0
        for _ in range(count):
            size += len(lane.items.popleft()[1]) + MESSAGE_OVERHEAD
        lane.size -= size
        self.size -= size
        self._heads.pop(sid, None)
        if lane.items:
            self._rest[sid] = None
            self._rest.move_to_end(sid)
        else:
            self._rest.pop(sid, None)
            del self._lanes[sid]

    def _released(self, sid: bytes) -> Sequence[bytes]:
        if self.crowded:
            if self.size * 2 > self._bound:
                return ()
            self.crowded = False
            writable = [held for held in self._held if self._is_low(held)]
        elif sid in self._held and self._is_low(sid):
            writable = [sid]
        else:
            return ()
        self._held.difference_update(writable)
        return writable

    def _is_low(self, sid: bytes) -> bool:
        lane = self._lanes.get(sid)
        return lane is None or lane.size * 2 <= self._share

    def _remove(self, sid: bytes, lane: _Lane) -> None:
        del self._lanes[sid]
        self._heads.pop(sid, None)
        self._rest.pop(sid, None)
        self.size -= lane.size

    # ------------------------------------------------------------ looking

    def has_head(self, sid: bytes) -> bool:
        """A request of this session waits here, head first: its node has seen nothing of it."""
        lane = self._lanes.get(sid)
        return lane is not None and any(message_type not in NOT_HEADS for message_type, _ in lane.items)

    def queued(self, sid: bytes) -> int:
        """Bytes that count against this session's share: its own, or while the queue is crowded all of
        them; who asks then is told when there is room."""
        if self.crowded:
            self._held.add(sid)
            return self.size
        lane = self._lanes.get(sid)
        return lane.size if lane is not None else 0

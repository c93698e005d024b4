"""One lane of a client connection: takes its requests one after the other from head to last byte.

Owns the current exchange and the session it runs in, answers for the server where no node does, and decides
what a failure means for the client. Where a request goes is the dispatcher's business, how bytes get to the
client the connection's. Synchronous; time comes from the clock it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING

from blastbeat import answering, failover, overdue, uploading
from blastbeat.client import Client
from blastbeat.config.model import VirtualHostConfig
from blastbeat.errors import ClientError
from blastbeat.events import CloseReason, PlainHeaders, RequestHead, ResponseHead
from blastbeat.exchange import NO_HEAD, Exchange
from blastbeat.filtering import begin_response, filter_data
from blastbeat.headers import asks_to_close
from blastbeat.interfaces import Answer, Clock
from blastbeat.messages import EXCHANGE
from blastbeat.progress import ADMITTING, CLOSED, FORWARDING, IDLE, WAITING, Phase, Progress
from blastbeat.session import Session
from blastbeat.upgradable import Upgradable
from blastbeat.virtualhost import VirtualHost

if TYPE_CHECKING:
    from blastbeat.dispatcher import Dispatcher

DEFAULTS = VirtualHostConfig("")


class Stream(Upgradable):
    """Implements `ResponseOwner` for the sessions it goes through, one at a time."""

    __slots__ = (
        "_clock",
        "_dispatcher",
        "_holds_client",
        "client",
        "exchange",
        "exchanges",
        "pending",
        "phase",
        "policy",
        "progress",
        "session",
        "virtualhost",
    )

    def __init__(self, client: Client, dispatcher: Dispatcher, clock: Clock) -> None:
        self.client = client
        self.exchange: Exchange | None = None
        self.exchanges = 0
        self.session: Session | None = None
        self.virtualhost: VirtualHost | None = None
        self.policy, self.phase = DEFAULTS, Phase.IDLE
        self.progress = Progress()
        self.pending: Sequence[bytes] = ()  # of the body, while nobody has the request
        self._holds_client = False
        self._dispatcher = dispatcher
        self._clock = clock

    # ------------------------------------------------------------ the client speaks

    def request_head(self, head: RequestHead) -> None:
        """A request begins; the one before is over."""
        clock, progress = self._clock, self.progress
        now = progress.moved = progress.read = clock.monotonic()
        self.exchanges += 1
        exchange = self.exchange = Exchange(head, now, clock.wall())
        self.phase = ADMITTING
        self._dispatcher.admission.admit(self, exchange)

    def request_data(self, data: bytes) -> None:
        """A piece of the request body."""
        exchange = self.exchange
        if exchange is None or self.phase is CLOSED:
            return
        self.progress.moved = self.progress.read = self._clock.monotonic()
        exchange.bytes_in += len(data)
        if self.policy.max_body and exchange.bytes_in > self.policy.max_body:
            self._hit("max-body")
            self.fail(413, CloseReason.LIMIT, f"the body is longer than {self.policy.max_body} bytes")
        elif self.phase is FORWARDING:
            uploading.pass_on(self, exchange, data)
        elif self.phase in WAITING:
            self.pending = (*self.pending, data)
            self.leave_body()

    def leave_body(self) -> None:
        """What the client has not sent yet stays with it until somebody has the request."""
        if not self._holds_client:
            self._holds_client = True
            self.client.hold_reading()

    def take_body(self) -> None:
        """Somebody has the request."""
        if self._holds_client:
            self._holds_client = False
            self.client.release_reading()

    def request_end(self) -> None:
        """The request was read to its end."""
        exchange = self.exchange
        if exchange is None or self.phase is CLOSED:
            return
        exchange.request_read = True
        if self.phase is FORWARDING:
            if exchange.head.chunked and self.session is not None:
                self.session.upload.data(b"")
            if exchange.response_done:
                self.finish()
        elif self.phase is Phase.ANSWERED:
            self.finish()

    def request_refused(self, status: int, reason: str, close: CloseReason) -> None:
        """What the client sent can't be understood, or took too long: 4xx where nothing was sent yet."""
        if self.exchange is None:
            if self.phase is Phase.CLOSED:
                return
            self.exchange = Exchange(NO_HEAD, self._clock.monotonic(), self._clock.wall())
        self.exchange.close_after = True
        self.fail(status, close, reason)

    def client_left(self, reason: CloseReason = CloseReason.CLIENT_LEFT, detail: str = "") -> None:
        """The client is gone, or was given up: nothing reaches it any more."""
        if self.phase is Phase.UPGRADED:
            return self.websocket_lost(reason, detail)
        self.phase = Phase.CLOSED
        self.drop_session(reason)
        self.report(reason, detail)

    def half_closed(self) -> bool:
        """The client's FIN came. Returns True where the exchange may still finish."""
        exchange = self.exchange
        if exchange is None:
            return False
        exchange.close_after = True
        if exchange.response_done:
            self.phase = Phase.CLOSED
            self.drop_session(CloseReason.COMPLETE)
            self.report(CloseReason.COMPLETE if exchange.request_read else CloseReason.CLIENT_LEFT)
            self.client.close_gracefully(0, self.policy.linger_time)
            return True
        return self.policy.half_close == "finish" and exchange.request_read

    def output_drained(self) -> None:
        """The operating system took what had piled up: a node with credit may send on."""
        if self.session is not None:
            self.progress.moved = self._clock.monotonic()
            self.session.grant.give_back()

    # ------------------------------------------------------------ the dispatcher answers

    def fail(self, status: int, reason: CloseReason, detail: str = "") -> None:
        """The exchange can't go on: `status` where nothing was sent yet, else the response is cut."""
        exchange = self.exchange
        if exchange is None:
            return
        if self.phase is Phase.UPGRADED:
            return self.end_websocket(reason, detail)
        self.drop_session(reason)
        if exchange.status and exchange.response_done:
            exchange.close_after = True
            exchange.reason, exchange.detail = reason, detail
            self.finish()
        elif exchange.status:
            self._cut(reason, detail)
        else:
            answering.send_error(self, self._dispatcher, exchange, status, reason, detail)

    def refuse(self, error: ClientError) -> None:
        """A filter refuses what passes: its answer where nothing was sent yet, else the response is cut."""
        exchange, reason = self.exchange, CloseReason.LIMIT if error.limit else CloseReason.REFUSED
        if exchange is None:
            return
        if error.limit:
            self._hit(error.limit)
        if exchange.status:
            self.fail(error.status, reason, error.reason)
        else:
            self.drop_session(reason)
            answering.send_refusal(self, self._dispatcher, exchange, error, reason)

    def _hit(self, limit: str) -> None:
        if self.virtualhost is not None:
            self.virtualhost.tally.hit(limit)

    def answer(self, answer: Answer, reason: CloseReason, detail: str = "") -> None:
        """A plugin's response instead of a node's."""
        exchange = self.exchange
        if exchange is not None:
            answering.send_answer(self, self._dispatcher, exchange, answer, reason, detail)

    # ------------------------------------------------------------ the session answers (ResponseOwner)

    def response_begins(self, head: ResponseHead) -> ResponseHead:
        exchange = self.exchange
        assert exchange is not None
        exchange.answered_at = self.progress.moved
        if exchange.view is not None:
            head = begin_response(exchange, self.virtualhost, self.client, head)
        if exchange.close_after:
            head.close = True
        elif self._dispatcher.is_stopping or (
            head.headers.__class__ is not PlainHeaders and asks_to_close(head.headers)
        ):
            head.close = exchange.close_after = True
        return head

    def data_passed(self, size: int) -> None:
        if self.exchange is not None and self.exchange.view is not None:
            refusal = filter_data(self.exchange, self.virtualhost, self.client, "out", size)
            if refusal is not None:
                self.refuse(refusal)

    def response_complete(self) -> None:
        exchange = self.exchange
        assert exchange is not None
        if exchange.request_read:
            self.finish()
        else:
            exchange.kept_bytes = 0
            self.progress.responded = self.progress.moved

    def response_failed(self, reason: CloseReason, detail: str) -> None:
        self.fail(502, reason, detail)

    def response_cut(self, reason: CloseReason, detail: str) -> None:
        if self.phase is Phase.UPGRADED:
            return self.end_websocket(reason, detail)
        self.drop_session(reason)
        self._cut(reason, detail)

    def node_ended(self, reason: CloseReason, detail: str) -> None:
        if detail and self.exchange is None and self.session is not None:
            self._dispatcher.complain(self.session, detail)  # else the access log tells of it
        if self.phase is Phase.ADMITTING and reason is CloseReason.NODE_END:
            self.drop_session(reason)  # it ended before this request went anywhere: a new session takes it
        else:
            self.abandon(reason, detail)

    def stale_end(self) -> None:
        failover.session_ended_before(self, self._dispatcher)

    def retry_asked(self) -> None:
        failover.try_next_instance(self, self._dispatcher, CloseReason.NODE_RETRY, "no other instance")

    def node_gone(self, reason: CloseReason, detail: str) -> None:
        """The instance of this session is gone for good."""
        failover.instance_lost(self, self._dispatcher, reason, detail)

    # ------------------------------------------------------------ endings

    def abandon(self, reason: CloseReason, detail: str) -> None:
        """Nothing more is owed to the client than a clean close, after what was sent."""
        if self.phase is Phase.UPGRADED:
            return self.end_websocket(reason, detail)
        self.drop_session(reason)
        self.report(reason, detail)
        self._close()

    def _cut(self, reason: CloseReason, detail: str) -> None:
        self.report(reason, detail)
        self.phase = Phase.CLOSED
        self.client.cut()

    def finish(self) -> None:
        """Request and response are complete."""
        exchange, session, client = self.exchange, self.session, self.client
        assert exchange is not None
        self.report(exchange.reason, exchange.detail)
        if exchange.close_after or self._dispatcher.is_stopping or client.must_close():
            self.drop_session(exchange.reason)
            self._close()
            return
        self.phase = IDLE
        if session is None:
            client.next_exchange()
            return
        instance = session.instance
        if instance.draining or session.virtualhost.is_former or EXCHANGE in instance.capabilities:
            self.drop_session(CloseReason.COMPLETE)
        # The next request goes out only when everything the nodes had sent by now was seen: what is left over
        # from this exchange must not be taken for the next one's response (§2).
        instance.router.after_drain(client.next_exchange)

    def _close(self) -> None:
        self.phase, policy = Phase.CLOSED, self.policy
        self.client.close_gracefully(policy.linger, policy.linger_time)

    def drop_session(self, reason: CloseReason) -> None:
        session, self.session = self.session, None
        if session is not None:
            self._dispatcher.close_session(session, reason)

    def drop_idle_session(self, reason: CloseReason) -> None:
        """End the session between two requests; the client stays and notices nothing."""
        if self.exchange is None or self.phase is Phase.ADMITTING:
            self.drop_session(reason)

    def report(self, reason: CloseReason, detail: str = "") -> None:
        """The exchange is over, if there is one."""
        exchange, self.exchange = self.exchange, None
        if self._holds_client:
            self.pending = ()
            self.take_body()
        if exchange is not None:
            exchange.reason, exchange.detail = reason, detail
            self._dispatcher.exchange_over(self, exchange)

    def rest(self) -> None:
        """The client is silent between two requests."""
        if self.exchange is None and self.session is not None:
            self.session.rest()

    # ------------------------------------------------------------ time

    def deadline(self) -> float:
        """When `expire` is due unless something happens before (monotonic seconds)."""
        if self.exchange is None or self.phase is Phase.CLOSED:
            return inf
        if self.phase is Phase.HOLDING:
            return self.progress.held_until
        return self.progress.deadline(self.exchange, self.policy, self._is_held())

    def expire(self, now: float) -> None:
        """A deadline has passed: §6 `timeout`, 408, 503, 504."""
        overdue.expire(self, self._dispatcher, self._is_held(), now)

    def _is_held(self) -> bool:
        return self.phase in WAITING or (self.session is not None and self.session.upload.is_held)

"""Our TLS transport between a transport by hand and a protocol that notes what it is told."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.transport.tls_contexts import TlsFiles, load_context
from blastbeat.transport.tls_output import RECORD
from blastbeat.transport.tls_transport import MAX_HANDSHAKE, MAX_PIECES, PIECE, TlsTransport
from tests.helpers.engine_fakes import FakeClock
from tests.helpers.tls import client_context, write_certificate
from tests.helpers.transport_fakes import FakeLoop, FakeTransport

NAME = "app.test"


class Noting(asyncio.Protocol):
    """What is above. `on_data` may do something to the transport."""

    def __init__(self) -> None:
        self.data = b""
        self.calls = 0
        self.events: list[str] = []
        self.keeps_open = False
        self.on_data: Callable[[], None] = lambda: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.events.append("made")

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.calls += 1
        self.on_data()

    def eof_received(self) -> bool:
        self.events.append("eof")
        return self.keeps_open

    def pause_writing(self) -> None:
        self.events.append("pause")

    def resume_writing(self) -> None:
        self.events.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.events.append("lost")


class Scene:
    """A client of Python's own TLS, and the server's side."""

    def __init__(self, context: ssl.SSLContext, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> None:
        self.loop = FakeLoop(FakeClock())
        self.above = Noting()
        self.failures: list[tuple[str, str]] = []
        self.broken: list[str] = []
        self.raw = FakeTransport(self.loop, asyncio.Protocol())
        self.tls = TlsTransport(
            self.loop.as_loop(),
            self.raw,
            context,
            opened=self._opened,
            failed=lambda why, detail: self.failures.append((why, detail)),
            run=lambda step: step(),
            broke=lambda: self.broken.append("broke"),
        )
        ours = client_context()
        ours.maximum_version = version
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = ours.wrap_bio(self._in, self._out, server_hostname=NAME)

    def _opened(self, tls: TlsTransport) -> asyncio.Protocol:
        return self.above

    def shake_hands(self) -> None:
        self.step()
        self.tls.begin(self.sent())
        for _ in range(2):
            self.step()
            data = self.sent()
            if data:
                self.receive(data)
        self.step()
        assert self.above.events == ["made"]

    def step(self) -> None:
        self._in.write(self.raw.take_output())
        with contextlib.suppress(ssl.SSLWantReadError):
            self.client.do_handshake()

    def sent(self) -> bytes:
        """What the client has to say, encrypted."""
        return self._out.read()

    def receive(self, data: bytes) -> None:
        self.raw.receive(data)

    def say(self, data: bytes) -> None:
        for begin in range(0, len(data), RECORD):
            self.client.write(data[begin : begin + RECORD])
        self.receive(self.sent())

    def say_goodbye(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            self.client.unwrap()
        self.receive(self.sent())

    def heard(self) -> bytes:
        """What the client can read, up to now; `is_over` says whether a close_notify was behind it."""
        self._in.write(self.raw.take_output())
        pieces: list[bytes] = []
        self.is_over = False
        try:
            while True:
                data = self.client.read(RECORD)
                if not data:
                    break
                pieces.append(data)
            self.is_over = True
        except ssl.SSLZeroReturnError:
            self.is_over = True
        except ssl.SSLWantReadError:
            pass
        return b"".join(pieces)


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    path: Path = write_certificate(tmp_path_factory.mktemp("tls"), NAME)
    return load_context(TlsFiles(str(path)), ["http/1.1"]).context


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def scene(context: ssl.SSLContext, request: pytest.FixtureRequest) -> Iterator[Scene]:
    scene = Scene(context, request.param)
    scene.shake_hands()
    yield scene
    if not scene.raw.is_lost:
        scene.raw.lose()
    assert not scene.loop.failures, scene.loop.failures
    assert scene.above.events.count("lost") == 1 and not scene.failures


def test_there_and_back(scene: Scene) -> None:
    scene.say(b"hello")
    assert scene.above.data == b"hello"
    scene.tls.write(b"good ")
    scene.tls.write(b"day")
    assert scene.heard() == b"good day" and not scene.is_over


def test_much_there_and_back(scene: Scene) -> None:
    data = bytes(range(256)) * 4096
    scene.say(data)
    assert scene.above.data == data and scene.above.calls < len(data) // RECORD
    scene.tls.write(memoryview(data))
    assert scene.heard() == data


@given(cuts=st.lists(st.integers(1, 3000), min_size=1, max_size=20))
def test_any_split_gives_the_same(context: ssl.SSLContext, cuts: list[int]) -> None:
    scene = Scene(context)
    scene.shake_hands()
    for part in (b"a" * 10, b"b" * RECORD, b"c"):
        scene.client.write(part)
    data = scene.sent()
    while data:
        cut = cuts.pop() if cuts else len(data)
        scene.receive(data[:cut])
        data = data[cut:]
    assert scene.above.data == b"a" * 10 + b"b" * RECORD + b"c"
    scene.raw.lose()


def test_small_records_are_read_over_several_turns(scene: Scene) -> None:
    number = PIECE * MAX_PIECES + 5
    for _ in range(number):
        scene.client.write(b"x")
    seen: list[int] = []
    scene.loop.call_soon(lambda: seen.append(len(scene.above.data)))
    scene.receive(scene.sent())
    assert seen == [PIECE * MAX_PIECES] and len(scene.above.data) == number
    assert scene.raw.is_reading()


def test_who_is_paused_is_handed_nothing_and_the_socket_is_not_read(scene: Scene) -> None:
    scene.above.on_data = scene.tls.pause_reading
    data = b"y" * (RECORD * PIECE * 3)
    scene.say(data)
    assert len(scene.above.data) == RECORD * PIECE and not scene.raw.is_reading()
    scene.above.on_data = lambda: None
    scene.tls.resume_reading()
    assert len(scene.above.data) == RECORD * PIECE  # who resumes is not called before it returns
    scene.loop.run()
    assert scene.above.data == data and scene.raw.is_reading()


def test_both_layers_count_as_not_taken(scene: Scene) -> None:
    scene.raw.room = 0
    data = bytes(1_000_000)
    scene.tls.write(data)
    assert scene.above.events == ["made", "pause"]
    assert scene.tls.get_write_buffer_size() >= len(data)
    assert len(scene.raw.pending) < 200_000  # the rest waits as it is
    before = scene.tls.get_write_buffer_size()
    scene.raw.take(50_000)
    assert scene.tls.get_write_buffer_size() == before - 50_000
    heard = b""
    while scene.tls.get_write_buffer_size():
        scene.raw.take(300_000)
        heard += scene.heard()
    assert heard == data and scene.above.events == ["made", "pause", "resume"]


def test_a_limit_of_nothing(scene: Scene) -> None:
    """As who closes sets it: resumed means that everything was taken."""
    scene.raw.room = 10
    scene.tls.write(b"z" * 100)
    scene.tls.set_write_buffer_limits(high=0)
    assert scene.above.events == ["made", "pause"] and scene.tls.get_write_buffer_limits() == (0, 0)
    scene.raw.take()
    assert scene.above.events == ["made", "pause", "resume"]


def test_a_close_notify_is_an_end(scene: Scene) -> None:
    scene.client.write(b"last")
    scene.say_goodbye()
    assert scene.above.data == b"last" and scene.above.events == ["made", "eof", "lost"]
    assert scene.raw.has_sent_fin


def test_behind_a_close_notify_there_may_be_an_answer(scene: Scene) -> None:
    scene.above.keeps_open = True
    scene.say_goodbye()
    scene.tls.write(b"answer")
    assert scene.heard() == b"answer"
    scene.tls.close()
    scene.loop.run()
    scene.heard()
    assert scene.is_over and scene.above.events == ["made", "eof", "lost"]


def test_a_fin_alone_is_an_end_too(scene: Scene) -> None:
    scene.client.write(b"half")
    half = scene.sent()
    scene.receive(half[:-1])
    scene.raw.receive_fin()
    assert scene.above.data == b"" and scene.above.events == ["made", "eof", "lost"]
    assert not scene.broken


def test_write_eof_is_close_notify_and_fin_and_the_rest_is_only_counted(scene: Scene) -> None:
    """Also where something came that was not read yet."""
    scene.tls.pause_reading()
    scene.tls.write(b"bye")
    scene.tls.write_eof()
    assert scene.heard() == b"bye" and scene.is_over and scene.raw.has_sent_fin
    assert not scene.tls.is_closing()
    scene.tls.resume_reading()
    scene.receive(b"\x17\x03\x03\x00\x08whatever")
    scene.receive(b"more")
    assert len(scene.above.data) == 17
    scene.raw.receive_fin()
    assert scene.above.events == ["made", "eof", "lost"]


def test_who_was_reset_before_our_fin_is_noticed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise OSError("not connected")

    monkeypatch.setattr(scene.raw, "write_eof", fails)
    scene.tls.pause_reading()
    scene.tls.write_eof()
    assert scene.raw.is_reading()  # else nobody would see the end


def test_write_eof_waits_for_what_was_written(scene: Scene) -> None:
    scene.raw.room = 0
    scene.tls.write(bytes(500_000))
    scene.tls.write_eof()
    scene.tls.write(b"too late")
    heard = 0
    while not scene.raw.has_sent_fin:
        scene.raw.take(100_000)
        heard += len(scene.heard())
    assert heard == 500_000 and scene.is_over


def test_close_flushes(scene: Scene) -> None:
    scene.raw.room = 0
    scene.tls.write(bytes(500_000))
    scene.tls.close()
    assert scene.tls.is_closing() and not scene.raw.is_closing()
    heard = 0
    while not scene.raw.is_lost:
        scene.raw.take(100_000)
        heard += len(scene.heard())
    assert heard == 500_000 and scene.is_over


def test_abort_does_not(scene: Scene) -> None:
    scene.raw.room = 0
    scene.tls.write(bytes(500_000))
    scene.tls.abort()
    scene.loop.run()
    assert scene.raw.is_aborted and scene.tls.get_write_buffer_size() == 0


def test_garbage_ends_the_connection_with_an_alert(scene: Scene) -> None:
    scene.receive(b"\x17\x03\x03\x00\x20" + bytes(32))
    assert scene.raw.is_lost and scene.broken == ["broke"] and scene.above.events == ["made", "lost"]
    scene._in.write(scene.raw.take_output())
    with pytest.raises(ssl.SSLError, match="(?i)alert"):
        scene.client.read(1)


def test_what_the_protocol_gets_with_the_end_of_its_client(scene: Scene) -> None:
    """Nothing is handed on behind `connection_lost`."""
    scene.above.on_data = scene.tls.pause_reading
    scene.say(b"y" * (RECORD * PIECE * 2))
    calls = scene.above.calls
    scene.tls.resume_reading()
    scene.raw.lose()
    assert scene.above.calls == calls and scene.above.events == ["made", "lost"]
    scene.tls.abort()
    scene.tls.close()
    scene.tls.write(b"nobody is there")


def test_what_is_known_of_it(scene: Scene) -> None:
    assert cast(ssl.SSLObject, scene.tls.get_extra_info("ssl_object")).version() in ("TLSv1.2", "TLSv1.3")
    assert scene.tls.get_extra_info("cipher")[2] >= 128
    assert scene.tls.get_extra_info("peername") == ("192.0.2.1", 50000)
    assert scene.tls.get_protocol() is scene.above and scene.tls.can_write_eof()
    other = Noting()
    scene.tls.set_protocol(other)
    scene.say(b"for the other")
    assert other.data == b"for the other"
    scene.tls.set_protocol(scene.above)


# ---------------------------------------------------------------- handshakes that fail


def test_no_hello(context: ssl.SSLContext) -> None:
    scene = Scene(context)
    scene.tls.begin(b"\x16\x03\x01\x00\x04\x01\x00\x00\x00")
    scene.loop.run()
    assert [why for why, _ in scene.failures] == ["malformed"] and scene.raw.is_lost
    assert scene.raw.output[:1] == b"\x15"  # an alert


def test_a_client_that_leaves(context: ssl.SSLContext) -> None:
    scene = Scene(context)
    scene.step()
    scene.tls.begin(scene.sent())
    scene.raw.receive_fin()
    assert scene.failures == [("left", "")] and scene.raw.is_lost
    other = Scene(context)
    other.step()
    other.tls.begin(other.sent()[:20])
    other.raw.lose()
    assert other.failures == [("left", "")]


def test_one_that_never_comes_to_an_end(context: ssl.SSLContext) -> None:
    scene = Scene(context)
    scene.step()
    hello = scene.sent()
    scene.tls.begin(hello[:20])
    with contextlib.suppress(AssertionError):  # until nothing is read any more
        for _ in range(MAX_HANDSHAKE):
            scene.receive(b"")
            if scene.failures:
                break
            scene.tls._handshake_size += 100
    assert [why for why, _ in scene.failures] == ["too-long"]


def test_given_up_while_it_goes_on(context: ssl.SSLContext) -> None:
    scene = Scene(context)
    scene.step()
    scene.raw.room = 100
    scene.tls.begin(scene.sent())
    scene.tls.give_up("late", "")
    scene.loop.run()
    assert scene.failures == [("late", "")] and scene.raw.is_aborted and scene.raw.is_lost
    scene.tls.give_up("late", "")
    assert len(scene.failures) == 1 and not scene.above.events

"""The DEALER on the event loop: nothing is lost when neither side keeps up."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import zmq

from blastbeat.node.dealer import Dealer

COUNT = 5000


class Nobody:
    """An `Audience` that does nothing with what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.bodies: list[bytes] = []

    def message_received(self, sid: bytes, type: bytes, body: zmq.Frame) -> None:
        self.bodies.append(body.bytes)

    def batch_received(self, sid: bytes, pairs: Sequence[tuple[bytes, zmq.Frame]]) -> None:
        self.heard.append(f"batch of {len(pairs)}")

    def junk_received(self) -> None:
        self.heard.append("junk")

    def connected(self) -> None:
        self.heard.append("connected")

    def disconnected(self) -> None:
        self.heard.append("disconnected")

    def gone_out(self) -> None: ...


def test_more_than_fits_goes_later_and_in_order() -> None:
    """The peer reads nothing until everything was sent."""

    async def main() -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        router = context.socket(zmq.ROUTER)
        router.rcvtimeo = 5000
        router.rcvhwm = 10
        port = router.bind_to_random_port("tcp://127.0.0.1")
        received: list[bytes] = []
        came, shorter = anyio.Event(), anyio.Event()

        class Reader(Nobody):
            def message_received(self, sid: bytes, type: bytes, body: zmq.Frame) -> None:
                received.append(type)
                if len(received) == COUNT:
                    came.set()

            def gone_out(self) -> None:
                shorter.set()

        dealer = Dealer(context, f"tcp://127.0.0.1:{port}", b"me", Reader())
        for number in range(COUNT):
            dealer.send((b"", b"%d" % number, b"x" * 2000))
        assert dealer.queued > 0

        def echo() -> list[bytes]:
            seen = []
            for _ in range(COUNT):
                frames = router.recv_multipart()
                seen.append(frames[2])
                router.send_multipart([frames[0], b"", frames[2], b""])
            return seen

        with anyio.fail_after(15):
            assert await anyio.to_thread.run_sync(echo) == [b"%d" % number for number in range(COUNT)]
            await came.wait()
            await shorter.wait()
        assert received == [b"%d" % number for number in range(COUNT)] and dealer.queued == 0
        dealer.close()
        context.destroy(0)

    anyio.run(main)


def test_frames_that_are_no_message_disturb_no_other() -> None:
    """A single frame takes the message behind it along; every other one that is malformed goes alone."""

    async def main() -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        router = context.socket(zmq.ROUTER)
        router.rcvtimeo = 5000
        port = router.bind_to_random_port("tcp://127.0.0.1")
        done = anyio.Event()

        class Reader(Nobody):
            def message_received(self, sid: bytes, type: bytes, body: zmq.Frame) -> None:
                super().message_received(sid, type, body)
                if body.bytes == b"last":
                    dealer.close()  # within a callback
                    done.set()

        reader = Reader()
        dealer = Dealer(context, f"tcp://127.0.0.1:{port}", b"me", reader)
        dealer.send((b"", b"pong", b""))
        with anyio.fail_after(10):
            identity, *_ = await anyio.to_thread.run_sync(router.recv_multipart)
            for frames in (
                [b"sid", b"end"],
                [b"sid", b"body", b"one"],
                [b"sid", b"body", b"x", b"end"],
                [b"sid", b"body", b"two"],
                [b"sid", *[b"body", b""] * 64],
                [b"sid", *[b"body", b""] * 65],
                [b"alone"],
                [b"sid", b"body", b"lost"],
                [b"sid", b"body", b"last"],
                [b"sid", b"body", b"too late"],
            ):
                router.send_multipart([identity, *frames])
            await done.wait()
        assert reader.bodies == [b"one", b"two", b"last"]
        assert reader.heard == ["connected", "junk", "junk", "batch of 64", "junk", "junk"]
        dealer.send((b"", b"pong", b"to nobody"))
        dealer.close()
        context.destroy(0)

    anyio.run(main)

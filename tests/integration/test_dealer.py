"""The DEALER on the event loop: nothing is lost when neither side keeps up."""

from __future__ import annotations

import anyio
import zmq

from blastbeat.node.dealer import Dealer

COUNT = 5000


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

        def take(frames: list[zmq.Frame]) -> None:
            received.append(frames[1].bytes)
            if len(received) == COUNT:
                came.set()

        dealer = Dealer(context, f"tcp://127.0.0.1:{port}", b"me", take, shorter.set)
        for number in range(COUNT):
            dealer.send((b"", b"%d" % number, b"x" * 2000))
        assert dealer.queued > 0

        def echo() -> list[bytes]:
            seen = []
            for _ in range(COUNT):
                frames = router.recv_multipart()
                seen.append(frames[2])
                router.send_multipart([frames[0], b"", frames[2]])
            return seen

        with anyio.fail_after(15):
            assert await anyio.to_thread.run_sync(echo) == [b"%d" % number for number in range(COUNT)]
            await came.wait()
            await shorter.wait()
        assert received == [b"%d" % number for number in range(COUNT)] and dealer.queued == 0
        dealer.close()
        context.destroy(0)

    anyio.run(main)

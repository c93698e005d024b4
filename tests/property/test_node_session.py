"""Any messages of a server in any order: a node's session raises nothing but its own errors, and whoever
waits for it goes on when it has ended."""

from __future__ import annotations

import anyio
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.node import Disconnected, NodeUsageError, Session
from tests.helpers.node_link import FakeLink, handshake, request, session_of

HEADS = (
    request(),
    request("POST", "/", "Content-Length: 5"),
    request("POST", "/", "Transfer-Encoding: chunked"),
    handshake(),
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["body", "text", "binary", "credit", "pause"]), st.binary(max_size=8)),
    max_size=12,
)


async def use(session: Session) -> None:
    """A handler that does everything, and waits wherever it can."""
    try:
        if session.websocket is not None:
            await session.websocket.accept()
            async for message in session.websocket:
                await session.websocket.send(message)
        else:
            await session.start()
            async for piece in session:
                await session.send(piece)
            while True:
                await session.send(b"more")
    except (Disconnected, NodeUsageError):
        pass
    finally:
        session.finish()


@given(
    st.integers(0, len(HEADS) - 1),
    STEPS,
    st.sampled_from(["", "1001 bye", "client-left", "\N{DEGREE SIGN} 1"]),
)
def test_no_message_breaks_it_and_nobody_waits_for_ever(
    head: int, steps: list[tuple[str, bytes]], reason: str
) -> None:
    async def main() -> None:
        session = session_of(FakeLink("accept", "binary", window=4, own_window=4), HEADS[head])
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(use, session)
                for kind, data in steps:
                    if kind == "body":
                        session.body_received(data)
                    elif kind == "credit":
                        session.credit_received(len(data))
                    elif kind == "pause":
                        await anyio.lowlevel.checkpoint()
                    elif session.websocket is not None:
                        session.websocket.message_received(data, kind == "binary")
                session.session_ended(reason)
        assert session.ended == reason

    anyio.run(main)

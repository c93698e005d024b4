"""The tables of WebSocket cases end to end: sent to a server whose node echoes, whole and byte by byte."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.websocket.case import MAX_MESSAGE, Case
from tests.conformance.websocket.test_websocket_cases import CASES
from tests.helpers.stage import Stage
from tests.helpers.websocket_cases import EchoServer
from tests.helpers.websocket_frames import BINARY, CLOSE, PONG, TEXT, cut

ECHOED = {"text": TEXT, "binary": BINARY}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EchoServer]:
    """One that reads to its end what it refused, so that its close frame is always there to be read."""
    stage = Stage(tmp_path_factory.mktemp("echo"))
    try:
        yield EchoServer(stage, **{"websocket-max-message": MAX_MESSAGE, "linger": 4 * MAX_MESSAGE})
    finally:
        stage.close()


def run(server: EchoServer, case: Case, chop: int) -> None:
    """Pongs do not wait for the echoes of what was sent before their pings."""
    client = server.client()
    client.send(*cut(case.data, chop))
    pongs, echoes = list[bytes](), list[tuple[int, bytes]]()
    wanted_pongs = [payload for kind, payload in case.told if kind == "ping"]
    wanted = [(ECHOED[kind], payload) for kind, payload in case.told if kind in ECHOED]
    while case.code is not None or len(pongs) < len(wanted_pongs) or len(echoes) < len(wanted):
        got = client.read()
        if got.opcode == CLOSE:
            assert got.close_code == case.code
            client.expect_eof()
            break
        if got.opcode == PONG:
            pongs.append(got.payload)
        else:
            echoes.append((got.opcode, got.payload))
    else:
        client.finish()
    assert pongs == wanted_pongs
    # A client that closes has its answer at once, and perhaps no echo of what it said last.
    assert echoes == (wanted if case.is_failure else wanted[: len(echoes)])
    client.close()


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_in_one_piece(server: EchoServer, case: Case) -> None:
    run(server, case, 1 << 22)


SMALL = {name: case for name, case in CASES.items() if len(case.data) < 1000}


@pytest.mark.parametrize("case", SMALL.values(), ids=list(SMALL))
def test_byte_by_byte(server: EchoServer, case: Case) -> None:
    run(server, case, 1)

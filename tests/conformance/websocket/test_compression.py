"""RFC 7692: what is offered, what is agreed on, and messages both ways (Autobahn's classes 12 and 13)."""

from __future__ import annotations

import random
from itertools import product

import pytest

from tests.helpers.websocket_cases import EchoServer
from tests.helpers.websocket_frames import BINARY, RSV1, TEXT, cut, fragments

NAME = "permessage-deflate"
PARAMETERS = [
    ["", "client_no_context_takeover"],
    ["", "server_no_context_takeover"],
    ["", "client_max_window_bits", "client_max_window_bits=9", "client_max_window_bits=15"],
    ["", "server_max_window_bits=9", "server_max_window_bits=12", "server_max_window_bits=15"],
]
OFFERS = ["; ".join([NAME, *(each for each in chosen if each)]) for chosen in product(*PARAMETERS)]
MIXED = f"{NAME}; server_max_window_bits=8, x-webkit-deflate-frame, {NAME}; server_no_context_takeover"


def messages() -> list[tuple[int, bytes]]:
    dice = random.Random(7692)
    prose = b" ".join(dice.choice([b"lorem", b"ipsum", b"dolor", b"sit"]) for _ in range(4000))
    noise = dice.randbytes(20_000)
    sizes = [0, 1, 16, 64, 256, 1024, 8192]
    found = [(TEXT, prose[:size]) for size in sizes] + [(BINARY, noise[:size]) for size in sizes]
    return found + [(TEXT, prose), (BINARY, noise + prose + noise), (TEXT, prose)]


@pytest.mark.parametrize("offer", [*OFFERS, MIXED])
def test_every_offer(server: EchoServer, offer: str) -> None:
    """Whole and in fragments; the client's strict reader inflates with the windows that were agreed on."""
    client = server.client(offer)
    assert client.deflate is not None
    for number, (opcode, data) in enumerate(messages()):
        if number % 2:
            client.send(client.deflate.message(opcode, data))
        else:
            client.send_all(fragments(opcode, cut(client.deflate.compress(data), 200), rsv=RSV1))
        client.expect(opcode, data)
    client.send_text("not compressed")
    client.expect_text("not compressed")
    client.finish()


@pytest.mark.parametrize(
    "offer",
    [
        "permessage-foo",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_no_context_takeover=1",
        "permessage-deflate; unheard_of",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    ],
)
def test_offers_that_can_not_be_met(server: EchoServer, offer: str) -> None:
    """The WebSocket opens without."""
    client = server.client(offer)
    assert client.deflate is None
    client.send_text("x" * 100)
    client.expect_text("x" * 100)
    client.finish()

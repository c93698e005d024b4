"""A handshake explained: who accepts it, and who may ask."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.config.model import VirtualHostConfig
from blastbeat.errors import ClientError
from blastbeat.events import Request
from blastbeat.explaining.handshakes import check_handshake, explain_handshake
from blastbeat.testing import make_request


def asked(*fields: tuple[bytes, bytes], version: bytes = b"13") -> Request:
    return make_request(headers=[(b"sec-websocket-version", version), *fields], upgrade=True)


def policy(**values: Any) -> VirtualHostConfig:
    return VirtualHostConfig("app.test", **values)


def test_another_version_is_426() -> None:
    with pytest.raises(ClientError) as caught:
        check_handshake(policy(), asked(version=b"8"), "app.test")
    assert caught.value.status == 426


@pytest.mark.parametrize(
    ("origin", "status"), [(b"http://app.test", 0), (b"https://a.test", 0), (b"https://b.test", 403)]
)
def test_origins(origin: bytes, status: int) -> None:
    asking = policy(websocket_origins=("same", "https://a.test")), asked((b"origin", origin)), "app.test"
    if not status:
        check_handshake(*asking)
        return
    with pytest.raises(ClientError) as caught:
        check_handshake(*asking)
    assert caught.value.status == status and "https://a.test" in caught.value.reason


@pytest.mark.parametrize(
    ("accept", "said"), [("auto", "announced `accept`"), ("server", "by the server"), ("node", "waited for")]
)
def test_who_accepts(accept: str, said: str) -> None:
    assert said in next(explain_handshake(policy(websocket_accept=accept), asked()))


def test_protocols() -> None:
    offer = (b"sec-websocket-protocol", b"a, b")
    with_b = policy(websocket_protocols=("b", "c"))
    lines = list(explain_handshake(with_b, asked(offer)))
    assert "the server selects protocol b (configured: b c)" in lines
    lines = list(explain_handshake(with_b, asked()))
    assert "the server selects no protocol (configured: b c)" in lines
    assert "pages of any origin may ask" in lines and "websocket-max-message 1MiB" in lines[-1]

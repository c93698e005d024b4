"""The demo's chat room, message by message, with the time passed in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from blastbeat.demo import chat
from blastbeat.demo.chat import Chat
from blastbeat.demo.request import Message

A, B, C = b"a", b"b", b"c"


def told(messages: list[Message]) -> list[tuple[bytes, Any]]:
    assert all(type == b"websocket" for _, type, _ in messages)
    return [(sid, json.loads(body)) for sid, _, body in messages]


def say(room: Chat, sid: bytes, now: float = 0.0, **wish: object) -> list[tuple[bytes, Any]]:
    return told(room.receive(sid, json.dumps(wish).encode(), now))


def test_who_joins_is_greeted_and_everybody_is_told() -> None:
    room = Chat()
    room.join(A)
    greeting, *news = told(room.join(B))
    assert greeting == (B, {"kind": "welcome", "name": "guest 2", "said": []})
    assert [sid for sid, _ in news] == [A, B]
    assert news[0][1] == {
        "kind": "news",
        "text": "guest 2 came in",
        "here": ["guest 1", "guest 2"],
        "count": 2,
    }
    assert A in room and C not in room


def test_what_is_said_goes_to_everybody_and_is_kept_for_who_comes_later() -> None:
    room = Chat()
    room.join(A)
    room.join(B)
    said = {"kind": "said", "name": "guest 1", "text": "hello you"}
    assert say(room, A, say=" hello \n you ") == [(A, said), (B, said)]
    assert told(room.join(C))[0][1]["said"] == [said]
    assert say(room, A, say="  ") == []


def test_names() -> None:
    room = Chat()
    room.join(A)
    room.join(B)
    assert (
        say(room, A, name="Ada" + "x" * 50)[0][1]["text"] == "guest 1 is " + ("Ada" + "x" * 50)[:24] + " now"
    )
    assert say(room, B, name="guest 2")[0][1]["kind"] == "only-you"


def test_who_leaves_is_missed_once() -> None:
    room = Chat()
    room.join(A)
    room.join(B)
    assert told(room.leave(B)) == [
        (A, {"kind": "news", "text": "guest 2 left", "here": ["guest 1"], "count": 1})
    ]
    assert room.leave(B) == [] and room.leave(A) == []


@pytest.mark.parametrize("body", [b"", b"hello", b"[]", b"1", b"\xff", b"[" * 5000])
def test_what_is_not_understood_is_told_to_its_sender_alone(body: bytes) -> None:
    room = Chat()
    room.join(A)
    room.join(B)
    ((sid, value),) = told(room.receive(A, body, 0.0))
    assert sid == A and value["kind"] == "only-you"


def test_values_of_another_kind_are_nothing() -> None:
    room = Chat()
    room.join(A)
    assert say(room, A, say=[1], name=None) == []


def test_too_much_at_once() -> None:
    room = Chat()
    room.join(A)
    for _ in range(chat.BURST):
        assert say(room, A, now=1.0, say="x")[0][1]["kind"] == "said"
    assert say(room, A, now=2.0, say="x")[0][1]["kind"] == "only-you"
    assert say(room, A, now=1.0 + chat.BURST_SECONDS, say="x")[0][1]["kind"] == "said"


def test_a_full_room_and_long_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "MAX_MEMBERS", 1)
    room = Chat()
    room.join(A)
    assert room.join(B) == [(B, b"end", b"1013 the room is full")] and B not in room
    assert len(say(room, A, say="x" * 1000)[0][1]["text"]) == chat.MAX_TEXT
    for number in range(chat.HISTORY + 5):
        say(room, A, now=10.0 * (number + 1), say=str(number))
    room.leave(A)
    assert len(told(room.join(C))[0][1]["said"]) == chat.HISTORY

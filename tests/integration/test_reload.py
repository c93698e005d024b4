"""Reading the configuration again: what is changed, added, removed and untouched, while requests run."""

from __future__ import annotations

from tests.helpers.client import RawClient
from tests.helpers.node import ScriptedNode
from tests.helpers.settings import Table
from tests.helpers.stage import Stage

KEPT: Table = {"node": "kept", "node-grace": 0.2}
CHANGED: Table = {"node": "changed", "node-grace": 0.2}
GONE: Table = {"node": "gone", "node-grace": 0.2}
BEFORE = {"kept.test": KEPT, "changed.test": CHANGED, "gone.test": GONE}
AFTER: dict[str, Table] = {
    "kept.test": KEPT,
    "changed.test": {**CHANGED, "request-encoder": "headers"},
    "new.test": {"node": "new", "node-grace": 0.2},
}


def get(stage: Stage, client: RawClient, node: ScriptedNode, host: str) -> bytes:
    """One plain GET; its sid."""
    client.get(host=host)
    request = node.expect_request()
    node.respond(request.sid, host.encode())
    assert client.read_response().body == host.encode()
    return request.sid


def status(client: RawClient, host: str) -> int:
    client.get(host=host)
    return client.read_response().status


def test_changed_added_removed_and_untouched(stage: Stage) -> None:
    server = stage.serve(vhosts=BEFORE)
    kept, changed, gone = (stage.node(name) for name in ("kept", "changed", "gone"))
    client = stage.client()
    waiting = stage.node("new", announce=False)
    waiting.pong()
    assert status(client, "new.test") == 404
    sid = get(stage, client, kept, "kept.test")
    done = stage.reload(vhosts=AFTER)
    assert done.is_applied and done.generation == 2
    assert get(stage, client, kept, "kept.test") == sid  # the same session goes on
    client.get(host="changed.test")
    message = changed.expect("headers")
    changed.respond(message.sid, b"changed")
    assert client.read_response().body == b"changed"
    get(stage, client, waiting, "new.test")
    assert status(client, "gone.test") == 404
    assert server.counters["config.reloads"] == 1

"""`protocol.md` §1 Capabilities and Credit: words in a `pong`, and what they turn on."""

from __future__ import annotations

from tests.helpers.node import ScriptedNode, head
from tests.helpers.stage import Stage

MIB = 1024 * 1024


def capable(stage: Stage, words: str, name: str = "app/1") -> ScriptedNode:
    """An instance whose words are in force."""
    node = stage.node(name, words)
    answer = node.expect("ping")
    assert answer.sid == b"" and set(answer.body.split()) == set(words.encode().split())
    if "credit=" in words:
        credit = node.expect("credit")
        assert credit.sid == b"" and int(credit.body) == MIB
    return node


def test_words_in_force(stage: Stage) -> None:
    """One ping lists those that are known, once for each change."""
    stage.serve()
    node = stage.node("app/1", "batch frobnicate accept")
    assert set(node.expect("ping").body.split()) == {b"batch", b"accept"}
    node.pong("accept batch frobnicate")  # the same set
    node.pong("accept batch")
    stage.expect_nothing(node)
    node.pong("batch")
    assert node.expect("ping").body == b"batch"
    node.pong()
    node.wait_ping()  # empty: none are in force
    stage.expect_nothing(node)


def test_words_of_a_configured_name_do_not_count(stage: Stage) -> None:
    """Old nodes send anything there."""
    stage.serve()
    node = stage.node("app", "exchange credit=100")
    stage.expect_nothing(node)
    client = stage.client()
    assert stage.exchange(node, client) == stage.exchange(node, client)


def test_exchange_mode(stage: Stage) -> None:
    """Every request is a session of its own, with its own choice of instance."""
    stage.serve(vhost={"selector": "round-robin"})
    nodes = [capable(stage, "exchange", f"app/{number}") for number in range(2)]
    client = stage.client()
    sids, served = set(), []
    for _ in range(4):
        client.get()
        node, message = next(
            (node, message) for node in nodes * 200 if (message := node.maybe_receive(0.01)) is not None
        )
        assert message.type == b"uwsgi"
        node.respond(message.sid, b"ok")
        node.expect_end(message.sid)
        assert client.read_response().body == b"ok"
        sids.add(message.sid)
        served.append(node.name)
    assert len(sids) == 4 and len(set(served)) == 2


# ---------------------------------------------------------------- credit


def test_upload_waits_for_credit(stage: Stage) -> None:
    """No more than the window, with one message over it; then only what was given back."""
    stage.serve()
    node = capable(stage, "credit=1000")
    client = stage.client()
    total = 200_000
    client.send_head(method="POST", headers=[("Content-Length", str(total))])
    client.send(b"x" * total)
    sid = node.expect_request().sid
    received = largest = 0
    while received < total:
        outstanding = 0
        while outstanding < 1000 and received < total:
            size = len(node.expect("body", sid).body)
            outstanding += size
            received += size
            largest = max(largest, size)
        stage.expect_nothing(node)
        node.send(sid, "credit", str(outstanding).encode())
    assert received == total
    node.respond(sid, b"thanks")
    assert client.read_response().body == b"thanks"
    assert largest <= 128 * 1024


def test_credit_is_given_back_as_the_client_reads(stage: Stage) -> None:
    """At most one message per half window, and in the end all of it."""
    stage.serve()
    node = capable(stage, "credit=100000")
    client = stage.client()
    client.get()
    sid = node.expect_request().sid
    total, piece = 4 * MIB, b"x" * 65536
    node.send(sid, "headers", head(headers=[("Content-Length", str(total))]))
    assert client.read_head().status == 200
    window, sent, messages = MIB, 0, 0
    while sent < total:
        while window > 0 and sent < total:
            node.send(sid, "body", piece)
            sent += len(piece)
            window -= len(piece)
            assert client.read_exactly(len(piece)) == piece
        while window <= 0 and sent < total:
            window += int(node.expect("credit", sid).body)
            messages += 1
    assert messages <= 2 * total // MIB


def test_slow_client_of_a_node_with_credit(stage: Stage) -> None:
    """Its node waits for credit instead of being cut off; the server never holds more than the window."""
    server = stage.serve({"writequeue-buffer": "2MiB"})
    node = capable(stage, "credit=100000")
    client = stage.client(receive_buffer=4096)
    client.get()
    sid = node.expect_request().sid
    total, piece = 24 * MIB, b"x" * 65536
    node.send(sid, "headers", head(headers=[("Content-Length", str(total))]))
    window = MIB
    sent = read = 0
    assert client.read_head().status == 200
    while read < total:
        while window > 0 and sent < total:
            node.send(sid, "body", piece)
            sent += len(piece)
            window -= len(piece)
        stalled = node.maybe_receive(0)
        if stalled is None:
            if client.wait_input(0.01):  # else it's the credit that is on its way
                read += len(client.read_some(total - read))
        else:
            assert (stalled.type, stalled.sid) == (b"credit", sid)
            window += int(stalled.body)
    assert read == sent == total
    assert server.counters["responses.cut"] == 0


def test_malformed_credit(stage: Stage) -> None:
    server = stage.serve()
    node = capable(stage, "credit=1000")
    client = stage.client()
    for body in (b"", b"-1", b"x", b"1" * 40, b"1.5"):
        node.send(b"", "credit", body)
    stage.exchange(node, client)
    dropped = {key: value for key, value in server.counted().items() if key.startswith("messages.dropped")}
    assert sum(dropped.values()) == 5


def test_words_that_are_malformed(stage: Stage) -> None:
    """`credit` without a number, or with a mad one, is a word nobody knows."""
    stage.serve()
    node = stage.node("app/1", "credit credit= credit=x credit=-1 batch")
    assert node.expect("ping").body == b"batch"
    stage.exchange(node, stage.client())

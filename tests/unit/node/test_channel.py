"""The worker's side of the channel: lines both ways, and an end that is noticed."""

from __future__ import annotations

import os
import socket

from blastbeat.node.channel import Channel, format_line


def test_messages_go_both_ways_until_the_other_side_is_gone() -> None:
    ours, theirs = socket.socketpair()
    descriptor = theirs.detach()
    os.set_inheritable(descriptor, True)
    channel = Channel(descriptor)
    assert not os.get_inheritable(descriptor)
    ours.sendall(format_line("ping") + b'{"type":"cut')
    assert channel.read() == {"type": "ping"}
    channel.send("up", endpoint="tcp://a:1")
    assert ours.recv(1000) == b'{"type": "up", "endpoint": "tcp://a:1"}\n'
    ours.close()
    assert channel.read() is None
    channel.send("up", endpoint="tcp://a:1")  # nobody reads: not our business
    channel.close()

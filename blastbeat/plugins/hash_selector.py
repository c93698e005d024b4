"""The selector `hash`: the same client, path, header or cookie gets the same node."""

from __future__ import annotations

from collections.abc import Sequence

from blastbeat import hookimpl
from blastbeat.events import Request
from blastbeat.interfaces import InstanceView, Options, Register
from blastbeat.request_keys import (
    RequestKey,
    address_key,
    draw,
    number_of,
    number_of_name,
    parse_request_key,
)

_AMONG_INSTANCES = number_of(b"among the instances of a node")


class Hash:
    """Rendezvous hashing: each node draws a number from its name and the key, and the highest wins. A node
    that goes leaves its own keys to the others and moves no other key; one that comes takes its share from
    each.

    First of nodes, then of the instances of the node that won: instances change their names with every start
    of a process, nodes do not.
    """

    def __init__(self, key: RequestKey) -> None:
        self._key = key

    def select(self, candidates: Sequence[InstanceView], request: Request) -> InstanceView:
        key = number_of(self._key(request) or request.remote_addr)
        names = {each.node for each in candidates}
        node = max(names, key=lambda name: (draw(key, number_of_name(name)), name))
        instances = [each for each in candidates if each.node == node]
        if len(instances) == 1:
            return instances[0]
        # Another key: an instance called like its node has just won with the number it would draw again.
        key = draw(key, _AMONG_INSTANCES)
        return max(instances, key=lambda each: (draw(key, number_of_name(each.identity)), each.identity))


def _make(options: Options) -> Hash:
    return Hash(options.get("key", address_key))


@hookimpl
def blastbeat_register_selectors(register: Register) -> None:
    register("hash", _make, options={"key": parse_request_key})

"""A server that has it, real nodes and clients."""

from __future__ import annotations

from typing import Any

import blastbeat_rendezvous

NODES = [{"name": "near", "zone": "fra", "weight": 2}, {"name": "far", "zone": "ams"}]


def serve(start: Any, **options: object) -> Any:
    vhost = {"node": NODES, "selector": {"name": "rendezvous", **options}}
    return start(plugins={"rendezvous": blastbeat_rendezvous}, toml={"vhost": {"*": vhost}})


def test_clients_go_to_the_own_zone_and_come_back_to_it(
    blastbeat_server: Any, blastbeat_node: Any, blastbeat_client: Any
) -> None:
    server = serve(blastbeat_server, zone="fra")
    near, _far = blastbeat_node(b"near", name="near"), blastbeat_node(b"far", name="far")

    def answers() -> set[bytes]:
        found = set()
        for number in range(1, 9):
            client = blastbeat_client(source=f"127.0.0.{number}")
            found.add(client.get("/").body)
            client.close()
        return found

    assert answers() == {b"near"}
    near.die()
    server.wait_node_down("near")
    assert answers() == {b"far"}
    near.restart()
    assert answers() == {b"near"}


def test_a_strict_choice_answers_503_rather_than_go_far(
    blastbeat_server: Any, blastbeat_node: Any, blastbeat_client: Any
) -> None:
    serve(blastbeat_server, zone="fra", strict=True)
    blastbeat_node(b"far", name="far")
    assert blastbeat_client().get("/").status == 503
    blastbeat_node(b"near", name="near")
    assert blastbeat_client().get("/").body == b"near"

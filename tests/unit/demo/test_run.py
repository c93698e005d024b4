"""What the demo asks of the server. The running demo is in tests/integration/test_demo.py."""

from __future__ import annotations

from blastbeat.config.model import Address
from blastbeat.demo.run import IPC_PATH_MAX, NODE, demo_config, node_endpoint, shown_url


def test_the_demo_takes_every_host_name_on_one_listener() -> None:
    config = demo_config("127.0.0.1", 8123, "ipc:///x/nodes")
    (virtualhost,) = config.virtualhosts
    assert config.server.bind == (Address("127.0.0.1", 8123),)
    assert config.server.zmq == ("ipc:///x/nodes",)
    assert virtualhost.name == "*"
    assert [node.name for node in virtualhost.nodes] == [NODE]


def test_nodes_meet_on_a_socket_file_where_its_path_fits() -> None:
    assert node_endpoint("/tmp/x") == "ipc:///tmp/x/nodes"
    assert node_endpoint("/" + "x" * IPC_PATH_MAX) == "tcp://127.0.0.1:*"


def test_the_url_shown_is_one_that_opens() -> None:
    assert shown_url(Address("127.0.0.1", 8080)) == "http://127.0.0.1:8080/"
    assert shown_url(Address("::1", 8080)) == "http://[::1]:8080/"
    assert shown_url(Address("", 81)) == "http://localhost:81/"
    assert shown_url(Address("0.0.0.0", 81)) == "http://localhost:81/"

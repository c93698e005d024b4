"""`blastbeat run`: what it serves with, and its ready line."""

from __future__ import annotations

from dataclasses import replace

from blastbeat.arguments import RUN_WITHOUT, build_parser
from blastbeat.commands.run import IMPLIED, ready_line, server_config
from blastbeat.config.model import Address
from blastbeat.node.options import BY_NAME, Settings

SETTINGS = Settings("shop.asgi:application", ("ipc:///x",), "app", workers=3, log_format="json")


def test_one_listener_serves_every_host() -> None:
    config = server_config(Address("127.0.0.1", 8000), SETTINGS, "ipc:///x")
    assert (config.server.bind, config.server.zmq) == ((Address("127.0.0.1", 8000),), ("ipc:///x",))
    assert config.server.log_format == "json"
    (host,) = config.virtualhosts
    assert host.name == "*" and host.hold > 0
    assert host.instances is not None and host.instances >= 2 * 3, "old and new ones are there at one time"


def test_the_ready_line_says_what_is_where() -> None:
    assert ready_line("http://127.0.0.1:8000/", SETTINGS) == (
        "ready http://127.0.0.1:8000/ serves shop.asgi:application (3 workers; Ctrl-C ends it)"
    )
    assert "(1 worker, reloads changed code;" in ready_line("", replace(SETTINGS, workers=1, reload=True))


def test_it_takes_the_options_of_a_node_that_mean_something_here() -> None:
    given = vars(build_parser().parse_args(["run", "a:b"]))
    assert (given["host"], given["port"]) == ("127.0.0.1", 8000)
    for name, option in BY_NAME.items():
        assert (option.field in given) is (name not in RUN_WITHOUT), name
    assert {BY_NAME[name].field for name in RUN_WITHOUT} >= set(IMPLIED)

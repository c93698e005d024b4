"""The limit of open files: raised as far as is allowed, told where that is not enough, and survived."""

from __future__ import annotations

import re
import time
from pathlib import Path

from tests.helpers.client import ConnectionEnded, RawClient
from tests.helpers.process import ServerProcess
from tests.helpers.server import PATIENCE
from tests.helpers.stage import Stage


def with_limits(soft: int, hard: int) -> list[str]:
    """A command that sets its own limits and becomes another one."""
    return ["sh", "-c", f'ulimit -S -n {soft} && ulimit -H -n {hard} && exec "$@"', "sh"]


def limits_of(process: ServerProcess) -> tuple[int, int]:
    text = Path(f"/proc/{process.pid}/limits").read_text()
    match = re.search(r"^Max open files +(\d+) +(\d+) ", text, re.MULTILINE)
    assert match is not None
    return int(match[1]), int(match[2])


def test_it_is_raised_to_what_connections_need(stage: Stage) -> None:
    config = stage.configure({"connections": 1000})
    process = stage.serve_process(config, prefix=with_limits(100, 2000))
    process.wait_ready()
    soft, hard = limits_of(process)
    assert 1000 < soft < 2000 and hard == 2000
    assert "warning" not in process.stderr


def test_it_says_what_is_missing(stage: Stage) -> None:
    config = stage.configure({"connections": 100_000, "sessions": 10})
    process = stage.serve_process(config, prefix=with_limits(100, 2000))
    process.wait_ready()
    said = process.wait_line("warning: ")
    needed = re.search(r"only (\d+) files may be open at once, .* LimitNOFILE=(\d+) into", said)
    if needed is None:  # this user may raise the hard limit as well
        assert limits_of(process)[0] > 100_000
    else:
        assert int(needed[1]) == limits_of(process)[0] == 2000
        assert int(needed[2]) > 100_000


def test_without_a_file_left_those_inside_are_served(stage: Stage) -> None:
    """Who comes then is turned away or waits, as the event loop has it, until somebody has left."""
    endpoint = f"ipc://{stage.folder}/nodes"
    config = stage.configure({"zmq": endpoint, "sessions": 10, "connections": 0})
    process = stage.serve_process(config, prefix=with_limits(64, 64))
    address = ("127.0.0.1", process.wait_ready())
    node = stage.node(endpoint=endpoint)
    inside = [stage.client(address=address)]
    stage.exchange(node, inside[0])
    knocking = [RawClient(address[1]) for _ in range(80)]
    for number in range(3):
        stage.exchange(node, inside[0], f"/{number}")
    for client in knocking:
        client.close()
    deadline = time.monotonic() + PATIENCE
    while not is_answered(address[1]):
        assert time.monotonic() < deadline, "nobody comes in any more"


def is_answered(port: int) -> bool:
    client = RawClient(port)
    try:
        client.get(host="nobody.test")
        return client.read_response().status == 404
    except (ConnectionEnded, BrokenPipeError):
        return False
    finally:
        client.close()

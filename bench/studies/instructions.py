"""Instructions of the processor that one request takes in our own Python, the same on a busy machine as on a
quiet one.

    python -m bench instructions [get|post] [--fields 2] [--driver fast] [--log] [--requests 500]
    python -m bench instructions --frames [...]

Valgrind's callgrind counts them (`apt install valgrind`), which takes a minute or two. The real connection,
gate, driver, stream, session, dispatcher and encoders run over the tests' fakes of socket, event loop and
ROUTER: what the kernel, ZeroMQ and uvloop cost is not in the figure, what the fakes cost is (a twelfth of
it). Two runs of different length are compared, so that the start is not in it either.

`--frames` needs no valgrind: it prints the bytecode instructions of each function instead, those that run
most first. That is where to look; the sum goes with the other figure, at some 50 instructions each.
"""

from __future__ import annotations

import argparse
import gc
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from blastbeat.plugins.access_log_format import format_combined
from blastbeat.plugins.http1_fast import FastDriverFactory
from blastbeat.plugins.http1_h11 import H11DriverFactory
from blastbeat.plugins.uwsgi_encoder import make_encoder
from tests.helpers import transport_fakes
from tests.helpers.settings import HOST

TOP = Path(__file__).resolve().parents[2]
WARM_UP = 100  # requests in the shorter run: the interpreter has adapted itself by then
FRAMES = 50  # requests that are traced
DRIVERS: dict[str, Any] = {"fast": FastDriverFactory, "h11": H11DriverFactory}
FIELDS = (
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64)", b"Accept: */*", b"Accept-Language: en-US,en;q=0.5",
    b"Accept-Encoding: gzip, deflate", b"Referer: http://example.org/", b"Cookie: sessionid=abcdef; csrf=xyz",
    b"Cache-Control: no-cache", b"Pragma: no-cache", b"DNT: 1", b"Sec-Fetch-Mode: cors",
    b"Origin: http://example.org",
)  # fmt: skip
BODY = b"Hello, World!"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(BODY)
UPLOAD = b"x" * 10240


class Transport(transport_fakes.FakeTransport):
    """Takes everything, and keeps nothing."""

    def write(self, data: Any) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


def make_request(kind: str, fields: int) -> bytes:
    """What the client sends each time, with so many header fields."""
    lines = [b"Host: " + HOST.encode(), *FIELDS[: fields - 1]]
    if kind == "post":
        lines.append(b"Content-Length: %d" % len(UPLOAD))
    text = b"\r\n".join([kind.upper().encode() + b" / HTTP/1.1", *lines, b"", b""])
    return text + UPLOAD if kind == "post" else text


def make_exchange(options: argparse.Namespace) -> Callable[[int], None]:
    """A connection, and a function that carries so many requests over it, there and back."""
    transport_fakes.FakeTransport = Transport  # type: ignore[misc]
    transport_fakes.H11DriverFactory = DRIVERS[options.driver]  # type: ignore[attr-defined]
    wire = transport_fakes.Wire(encode=make_encoder({}).encode_request)
    wire.engine.router.send = lambda instance, sid, type, body: None  # type: ignore[method-assign]
    connection, transport = wire.connect()
    views: list[Any] = []
    dispatcher, request = wire.engine.dispatcher, make_request(options.kind, options.fields)
    dispatcher.lifecycle.exchange_closed = views.append

    def run(count: int) -> None:
        for _ in range(count):
            transport.receive(request)
            session = connection.stream.session
            assert session is not None
            dispatcher.message_received(session.instance, session.sid, b"headers", HEAD)
            dispatcher.message_received(session.instance, session.sid, b"body", BODY)
            wire.drain()
            assert views[0].status == 200 and len(views) == 1
            if options.log:
                format_combined(views[0])
            views.clear()

    gc.disable()
    return run


def count_instructions(options: argparse.Namespace, requests: int) -> int:
    """Of a process of its own that does this many requests."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable]
    command += [
        "-m",
        "bench",
        "instructions",
        options.kind,
        "--fields",
        str(options.fields),
        "--driver",
        options.driver,
    ]
    command += ["--inside", str(requests), *(["--log"] if options.log else [])]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}  # else dictionaries differ from run to run
    done = subprocess.run(command, env=environment, cwd=TOP, capture_output=True, text=True, check=False)
    counted = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or counted is None:
        raise SystemExit(f"callgrind counted nothing:\n{done.stderr[-2000:]}")
    return int(counted[1])


def print_frames(run: Callable[[int], None]) -> None:
    """Bytecode instructions and calls of each function, by request."""
    instructions: Counter[tuple[str, str]] = Counter()
    calls: Counter[tuple[str, str]] = Counter()

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        key = (os.path.relpath(frame.f_code.co_filename, TOP), frame.f_code.co_qualname)
        if event == "call":
            calls[key] += 1
        elif event == "opcode":
            instructions[key] += 1
        return trace

    run(WARM_UP)
    sys.settrace(trace)
    run(FRAMES)
    sys.settrace(None)
    for key, number in instructions.most_common():
        print(f"{number / FRAMES:8.1f} in {calls[key] / FRAMES:4.1f} calls  {key[0]}  {key[1]}")
    print(f"{instructions.total() / FRAMES:8.1f} in {calls.total() / FRAMES:4.1f} calls")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kind", nargs="?", choices=("get", "post"), default="get", help="POST sends 10 KiB")
    parser.add_argument("--fields", type=int, default=2, help="header fields, 1 to 12")
    parser.add_argument("--driver", choices=DRIVERS, default="fast")
    parser.add_argument("--log", action="store_true", help="a line of the access log is made, too")
    parser.add_argument("--requests", type=int, default=500, help="that are counted")
    parser.add_argument("--frames", action="store_true", help="by function, without valgrind")
    parser.add_argument("--inside", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if not 1 <= options.fields <= len(FIELDS) + 1 or options.requests < 1:
        parser.error(f"--fields takes 1 to {len(FIELDS) + 1}, --requests at least 1")
    if options.inside is not None:
        make_exchange(options)(options.inside)
    elif options.frames:
        print_frames(make_exchange(options))
    elif shutil.which("valgrind") is None:
        parser.error("valgrind is not installed (apt install valgrind); --frames does without")
    else:
        more = count_instructions(options, WARM_UP + options.requests) - count_instructions(options, WARM_UP)
        print(f"{more // options.requests} instructions per {options.kind.upper()}")
    return 0

"""The servers that are measured, each a context that yields it once it answers.

Knows how to start them, nothing of load and figures. Ours and nginx write an access log to a file.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from bench.native_programs import native
from bench.processes import Pins, free_port, program, running, wait

APPLICATIONS = Path(__file__).parent / "backends"

CONFIG = """\
[blastbeat]
{bind} = "127.0.0.1:{port}"
zmq = "{endpoint}"
access-log = "{folder}/access.log"
{settings}

[vhost."*"]
node = "{node}"
"""
VIRTUALHOST = """
[vhost."www{number}.example"]
node = "bench{node}"
"""

# The server takes uvloop where it is installed; a name that is None cannot be imported.
WITHOUT_UVLOOP = "import sys; sys.modules['uvloop'] = None; "
RUN = "import sys; from blastbeat.cli import main; sys.exit(main(sys.argv[1:]))"

NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log error;
events {{ worker_connections 20000; }}
http {{
  access_log {folder}/access.log;
  keepalive_requests 1000000000;
  client_body_buffer_size 16k;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream backend {{
    server 127.0.0.1:{backend};
    keepalive 128;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port}{ssl} backlog=4096;
    {certificate}
    location / {{
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_read_timeout 600s;
    }}
  }}
}}
"""


@dataclass(frozen=True)
class Needs:
    """What a workload wants of a server. `virtualhosts` beside `*`, each with one of `nodes` nodes."""

    tls: bool = False
    virtualhosts: int = 0
    nodes: int = 0


@dataclass(frozen=True)
class Bench:
    """Where a run takes place. `settings` are further keys of our configuration's first table."""

    folder: Path
    pins: Pins
    zmq: str = "tcp"
    settings: Mapping[str, str] = field(default_factory=dict)
    needs: Needs = field(default_factory=Needs)


@dataclass(frozen=True)
class Server:
    """A server that answers. `pid` is the root of its process tree, without what answers behind it."""

    name: str
    pid: int
    port: int
    node_pid: int | None = None
    is_tls: bool = False

    @property
    def url(self) -> str:
        return f"{'https' if self.is_tls else 'http'}://127.0.0.1:{self.port}"


@contextmanager
def blastbeat(
    bench: Bench,
    name: str,
    *,
    has_uvloop: bool = True,
    settings: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
    node: Sequence[str] = (),
    node_command: Sequence[str] = (),
    needs: Needs | None = None,
) -> Iterator[Server]:
    """`blastbeat serve` with the C node, unless `node_command` is another; `node` are options of it."""
    needs = needs or bench.needs
    port, endpoint = free_port(), f"ipc://{bench.folder}/{name}"
    if bench.zmq == "tcp":
        endpoint = f"tcp://127.0.0.1:{free_port()}"
    folder = bench.folder / name
    folder.mkdir(exist_ok=True)
    keys = {"sessions": "20000", **bench.settings, **(settings or {})}
    if needs.tls:
        keys["certificate"] = str(certificate(bench.folder))
    text = CONFIG.format(
        bind="bind-ssl" if needs.tls else "bind",
        port=port,
        endpoint=endpoint,
        folder=folder,
        settings="\n".join(
            f"{key} = {value if value.isdigit() else json.dumps(value)}" for key, value in keys.items()
        ),
        node="bench0" if needs.nodes else "bench",
    )
    for number in range(needs.virtualhosts):
        text += VIRTUALHOST.format(number=number, node=number % needs.nodes)
    config, log = folder / "bench.toml", folder / "log"
    config.write_text(text)
    command = [
        sys.executable,
        "-c",
        RUN if has_uvloop else WITHOUT_UVLOOP + RUN,
        "serve",
        str(config),
        *options,
    ]
    names = [*node, endpoint, "bench", *([str(needs.nodes)] if needs.nodes else [])]
    answering_command = [*(node_command[:2] or [native("node")]), *names, *node_command[2:]]
    with ExitStack() as stack:
        stderr = stack.enter_context(log.open("w"))
        server = stack.enter_context(running(command, bench.pins.pin_server, stderr=stderr))
        wait(lambda: "\nready " in f"\n{log.read_text()}", server, log)
        answering = stack.enter_context(running(answering_command, bench.pins.pin_others))
        last = f"www{needs.nodes - 1}.example" if needs.virtualhosts else "127.0.0.1"
        found = Server(name, server.pid, port, answering.pid, needs.tls)
        wait(lambda: answers(found, last), server, log)
        yield found


@contextmanager
def nginx(bench: Bench, name: str) -> Iterator[Server]:
    """nginx in front of a backend in C, with one worker and connections to it that are kept."""
    folder = bench.folder / name
    folder.mkdir(exist_ok=True)
    port, backend, pem = free_port(), free_port(), ""
    if bench.needs.tls:
        path = certificate(bench.folder)
        pem = f"ssl_certificate {path}; ssl_certificate_key {path};"
    config = folder / "nginx.conf"
    config.write_text(
        NGINX.format(
            folder=folder, port=port, backend=backend, certificate=pem, ssl=" ssl" if bench.needs.tls else ""
        )
    )
    if os.getuid() == 0:  # its worker runs as somebody else, who must get to its temporary files
        bench.folder.chmod(0o755)
    command = [
        program("nginx", "nginx-light"),
        "-p",
        str(folder),
        "-c",
        str(config),
        "-e",
        str(folder / "log"),
    ]
    with ExitStack() as stack:
        behind = [native("http_backend"), str(backend)]
        answering = stack.enter_context(running(behind, bench.pins.pin_others))
        server = stack.enter_context(running(command, bench.pins.pin_server))
        found = Server(name, server.pid, port, answering.pid, bench.needs.tls)
        wait(lambda: answers(found), server, folder / "log")
        yield found


@contextmanager
def uvicorn(bench: Bench, name: str, *, http: str, loop: str, has_log: bool = False) -> Iterator[Server]:
    """uvicorn, the same bytes from an application in its own process."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(APPLICATIONS), "asgi_app:app"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--http", http, "--loop", loop]
    command += ["--ws", "wsproto", "--lifespan", "off", "--backlog", "4096"]
    command += [] if has_log else ["--log-level", "warning", "--no-access-log"]
    path = bench.folder / name
    with path.open("w") as log, running(command, bench.pins.pin_server, log, log) as server:
        found = Server(name, server.pid, port)
        wait(lambda: answers(found), server, path)
        yield found


def certificate(folder: Path) -> Path:
    """A certificate (ECDSA P-256) for 127.0.0.1 with its key, one for all servers of a run."""
    path = folder / "certificate.pem"
    if not path.exists():
        trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(path))
    return path


def answers(server: Server, host: str = "127.0.0.1") -> bool:
    """Whether the 13 bytes come."""
    return ask(server, "GET", "/", host=host) == b"Hello, world!"


def ask(server: Server, method: str, path: str, body: bytes | None = None, host: str = "127.0.0.1") -> bytes:
    """The body of an answer 200; empty for any other, or none."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    if server.is_tls:
        unverified = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=5, context=unverified)
    try:
        connection.request(method, path, body, {"Host": host})
        response = connection.getresponse()
        return response.read() if response.status == 200 else b""
    except (OSError, http.client.HTTPException):
        return b""
    finally:
        connection.close()

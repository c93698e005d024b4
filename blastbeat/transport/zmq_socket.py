"""A ROUTER socket with the options BlastBeat needs, bound to its endpoints (`design.md` §5).

Knows no message and no node.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import time
from collections.abc import Sequence

import zmq

from blastbeat.config.model import ServerConfig
from blastbeat.errors import StartError

DEAD_LINK_PERIODS = 10  # ping periods without a byte, then the connection is given up
MAX_HEARTBEAT_MS = 60 * 60 * 1000
MAX_PORT = 65535
SCHEMES = ("tcp://", "ipc://")
UNBIND_TRIES = 50
UNBIND_PAUSE = 0.001  # seconds


def make_router_socket(context: zmq.Context[zmq.Socket[bytes]], settings: ServerConfig) -> zmq.Socket[bytes]:
    """A ROUTER that reports unknown and full peers instead of dropping, keeps its first owner to a name and
    notices dead links. Not bound yet."""
    router: zmq.Socket[bytes] = context.socket(zmq.ROUTER)
    heartbeat = max(1, min(int(settings.ping_freq * 1000), MAX_HEARTBEAT_MS // DEAD_LINK_PERIODS))
    options = {
        zmq.ROUTER_MANDATORY: 1,
        zmq.ROUTER_HANDOVER: 0,
        zmq.LINGER: 0,
        zmq.SNDHWM: settings.high_water_mark,
        zmq.RCVHWM: settings.high_water_mark,
        zmq.MAXMSGSIZE: settings.max_message,
        # Whoever speaks ZMTP 3.0 (libzmq before 4.2) does not answer these: any message of its own counts
        # too, so the time is long enough for a node at work. A hung application is found by our ping.
        zmq.HEARTBEAT_IVL: heartbeat,
        zmq.HEARTBEAT_TIMEOUT: heartbeat * DEAD_LINK_PERIODS,
        zmq.HEARTBEAT_TTL: heartbeat * DEAD_LINK_PERIODS,
        zmq.TCP_KEEPALIVE: 1,
        zmq.TCP_KEEPALIVE_IDLE: 60,
        zmq.TCP_KEEPALIVE_INTVL: 15,
        zmq.TCP_KEEPALIVE_CNT: 4,
    }
    for option, value in options.items():
        router.setsockopt(option, value)
    return router


def bind_endpoints(router: zmq.Socket[bytes], endpoints: Sequence[str]) -> list[str]:
    """Binds all of them; returns what they really are (a wildcard port resolved). Raises StartError."""
    return [_bind(router, endpoint) for endpoint in endpoints]


def unbind_endpoint(router: zmq.Socket[bytes], endpoint: str) -> None:
    """Gives up an endpoint, as `bind_endpoints` returned it. libzmq ends its connections, too; it does both a
    moment later, which is waited for, so that the endpoint can be bound again at once."""
    with contextlib.suppress(zmq.ZMQError):  # it is not bound: so it shall be
        router.unbind(endpoint)
    for _ in range(UNBIND_TRIES):
        if _is_free(endpoint):
            return
        time.sleep(UNBIND_PAUSE)


def _is_free(endpoint: str) -> bool:
    scheme, _, rest = endpoint.partition("://")
    if scheme == "ipc":
        with contextlib.suppress(StartError):
            _refuse_path_in_use(endpoint)
            return True
        return False
    host, _, port = rest.rpartition(":")
    host = host.strip("[]")
    try:
        socket.create_server(
            (host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        ).close()
    except OSError as error:
        return error.errno != errno.EADDRINUSE
    return True


def _bind(router: zmq.Socket[bytes], endpoint: str) -> str:
    if not endpoint.startswith(SCHEMES):
        raise StartError(f"zmq {endpoint}: not an endpoint; say tcp://ADDRESS:PORT or ipc://PATH")
    if endpoint.startswith("ipc://"):
        _refuse_path_in_use(endpoint)
    elif not _is_port(port := endpoint.rpartition(":")[2]):
        # libzmq would take it modulo 65536.
        raise StartError(f"zmq {endpoint}: cannot bind: there is no port {port}; they end at {MAX_PORT}")
    # With IPv6 on, a host name would be looked up as IPv6 first, and nodes that dial IPv4 would not get in.
    router.setsockopt(zmq.IPV6, int("[" in endpoint))
    try:
        router.bind(endpoint)
    except zmq.ZMQError as error:
        raise StartError(f"zmq {endpoint}: cannot bind: {_explain(error)}") from error
    return bytes(router.getsockopt(zmq.LAST_ENDPOINT)).rstrip(b"\0").decode()


def _explain(error: zmq.ZMQError) -> str:
    reasons: dict[int | None, str] = {
        zmq.EADDRINUSE: "the address is in use, by another server perhaps",
        zmq.EADDRNOTAVAIL: "this machine has no such address",
        errno.ENODEV: "this machine has no such interface or address",
        zmq.EINVAL: "not a valid endpoint",
        zmq.EPROTONOSUPPORT: "ZeroMQ here does not support this kind of endpoint",
    }
    return reasons.get(error.errno, str(error.strerror or error))


def _refuse_path_in_use(endpoint: str) -> None:
    """ZeroMQ removes the file and binds anew, also while another server listens there."""
    path = endpoint.removeprefix("ipc://")
    if path.startswith(("@", "*")):
        return
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise StartError(f"zmq {endpoint}: cannot bind: there is a file of another kind")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except (BlockingIOError, ConnectionRefusedError, OSError) as error:
            if not isinstance(error, BlockingIOError):
                return  # nobody listens: left over from a server that was killed
    raise StartError(f"zmq {endpoint}: cannot bind: another server listens there")


def _is_port(text: str) -> bool:
    """False for a number that is none; words like ``*`` are for ZeroMQ to judge."""
    return not text.removeprefix("-").isdecimal() or 0 <= int(text) <= MAX_PORT

"""TLS as clients meet it: names, limits, clients that misbehave, back-pressure, PROXY headers, reloads."""

from __future__ import annotations

import contextlib
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.client import RawClient, request_head
from tests.helpers.proxy import v1
from tests.helpers.server import PATIENCE, RunningServer
from tests.helpers.settings import HOST, Table
from tests.helpers.stage import Stage
from tests.helpers.tls import client_context, connect, write_certificate

OTHER, WILD = "other.test", "*.wild.test"


def serve(stage: Stage, server: Table | None = None, vhost: Table | None = None) -> RunningServer:
    return stage.serve(*tables(stage, server, vhost))


def tables(stage: Stage, server: Table | None = None, vhost: Table | None = None) -> tuple[Table, Any, Any]:
    """Three virtualhosts on one address, each with a certificate of its own."""
    hosts = {
        name: {
            "node": ["app"],
            "certificate": str(stage.folder / f"{name.replace('*', 'any')}.pem"),
            **(vhost or {}),
        }
        for name in (HOST, OTHER, WILD)
    }
    for name in hosts:
        if not Path(str(hosts[name]["certificate"])).exists():
            write_certificate(stage.folder, name)
    return {"bind": None, "bind-ssl": "127.0.0.1:0", **(server or {})}, None, hosts


def client(stage: Stage, name: str | None = HOST, **options: Any) -> RawClient:
    made = RawClient(stage.server.port, tls=options.pop("tls", client_context()), server_name=name, **options)
    stage._clients.append(made)
    return made


def names_of(connection: ssl.SSLSocket) -> set[str]:
    certificate: Any = connection.getpeercert()
    return {value for _, value in certificate["subjectAltName"]}


def test_keep_alive_and_alpn(stage: Stage) -> None:
    serve(stage)
    node = stage.node()
    context = client_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    asker = client(stage, tls=context)
    for number in range(3):
        stage.exchange(node, asker, f"/{number}")
    assert asker._socket.selected_alpn_protocol() == "http/1.1"  # type: ignore[attr-defined]
    asker.close()


def test_who_speaks_only_another_protocol_is_served_http(stage: Stage) -> None:
    """As the reference says: Python's TLS leaves the extension unanswered."""
    serve(stage)
    node = stage.node()
    context = client_context()
    context.set_alpn_protocols(["h2"])
    asker = client(stage, tls=context)
    assert asker._socket.selected_alpn_protocol() is None  # type: ignore[attr-defined]
    stage.exchange(node, asker)
    asker.close()


def test_each_name_gets_its_certificate(stage: Stage) -> None:
    server = serve(stage)
    for asked, shown in ((HOST, HOST), (OTHER, OTHER), ("a.wild.test", WILD), (HOST.upper(), HOST)):
        with connect(server.port, asked) as connection:
            assert names_of(connection) == {shown}
    context = client_context()
    context.check_hostname = False
    for unknown in (None, "nobody.test"):
        with connect(server.port, unknown, context) as connection:
            assert names_of(connection) == {HOST}  # the first virtualhost's


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions(stage: Stage, version: ssl.TLSVersion) -> None:
    serve(stage)
    node = stage.node()
    context = client_context()
    context.minimum_version = context.maximum_version = version
    asker = client(stage, tls=context)
    stage.exchange(node, asker)
    asker.close()


def test_a_hello_byte_by_byte(stage: Stage) -> None:
    server = serve(stage)
    node = stage.node()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context().wrap_bio(incoming, outgoing, server_hostname=OTHER)
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as plain:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    plain.sendall(bytes([byte]))
                incoming.write(plain.recv(65536))
        tls.write(request_head(host=OTHER))
        for byte in outgoing.read():
            plain.sendall(bytes([byte]))
        request = node.expect_request()
        assert request["SERVER_NAME"] == OTHER
    node.expect_end(request.sid)


def test_a_handshake_that_stalls_is_ended_and_disturbs_nobody(stage: Stage) -> None:
    server = serve(stage, {"handshake-timeout": 0.2})
    node, asker = stage.node(), client(stage)
    stalled = [socket.create_connection(("127.0.0.1", server.port), PATIENCE) for _ in range(20)]
    for each in stalled:
        each.sendall(b"\x16\x03\x01\x01\x00\x01")
    stage.exchange(node, asker)
    for each in stalled:
        with contextlib.suppress(ConnectionResetError):
            assert each.recv(1) == b""
        each.close()
    assert server.counted()["tls.failed.late"] == 20
    asker.close()


def test_handshakes_count_as_connections_and_end_with_the_server(stage: Stage) -> None:
    server = serve(stage, {"connections": 1})
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as first:
        first.sendall(b"\x16\x03\x01")
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as second:
            assert second.recv(1) == b""
        server.wait_counter("connections.refused")
        server.request_stop()
        with contextlib.suppress(ConnectionResetError):
            assert first.recv(1) == b""
    server.join()
    assert server.counted()["tls.failed.stop"] == 1


@pytest.mark.parametrize(
    "garbage", [b"\x00\x01\x02", b"\x80\x2e\x01", b"SSH-2.0-x\r\n", b"\x16\x03\x01\x00\x04\x02\x00\x00\x00"]
)
def test_garbage_is_closed_and_counted(stage: Stage, garbage: bytes) -> None:
    server = serve(stage)
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as stranger:
        stranger.sendall(garbage)
        with contextlib.suppress(ConnectionResetError):
            while stranger.recv(100):
                pass
    server.wait_counter("tls.failed.malformed")


def test_who_wants_to_negotiate_anew_may_not(stage: Stage) -> None:
    """RFC 5746: refused, by the option that switches it off; what is asked for goes on."""
    server = serve(stage)
    context = client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with connect(server.port, HOST, context) as connection:
        assert connection.version() == "TLSv1.2"
    for loaded in server.call(lambda: list(server.server.wiring.context.tls.contexts.values())):  # type: ignore[union-attr]
        assert loaded.context.options & ssl.OP_NO_RENEGOTIATION


def test_records_that_were_changed_end_the_connection(stage: Stage) -> None:
    server = serve(stage)
    node = stage.node()
    connection = connect(server.port, HOST)
    connection.sendall(request_head())
    request = node.expect_request()
    plain = socket.socket(fileno=connection.detach())
    plain.settimeout(PATIENCE)
    with plain:
        plain.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        node.expect_end(request.sid)
        with contextlib.suppress(ConnectionResetError):
            while plain.recv(1000):
                pass
    assert server.counted()["tls.failed.broken"] == 1


def test_a_fin_within_an_upload_completes_nothing(stage: Stage) -> None:
    """Neither with a close_notify nor without."""
    serve(stage)
    node = stage.node()
    for with_notify in (True, False):
        asker = client(stage)
        asker.send_head(method="POST", headers=[("Transfer-Encoding", "chunked")])
        asker.send(b"5\r\nhello\r\n")
        request = node.expect_request()
        assert node.expect_body(request.sid, 5) == b"hello"
        if with_notify:
            with contextlib.suppress(OSError):
                asker._socket.unwrap()  # type: ignore[attr-defined]
        else:
            asker._socket.shutdown(socket.SHUT_WR)
        node.expect_end(request.sid)
        asker.close()


def test_a_slow_client_is_given_up_like_any(stage: Stage) -> None:
    server = serve(stage, {"writequeue-buffer": 256 * 1024})
    node, asker = stage.node(), client(stage, receive_buffer=4096)
    asker.get()
    request = node.expect_request()
    size = 64 * 1024 * 1024
    node.send(request.sid, "headers", f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
    sent = 0
    while "connections.given-up.slow-client" not in server.counted():
        assert sent < size
        node.send(request.sid, "body", bytes(256 * 1024))
        sent += 256 * 1024
    node.expect_end(request.sid)
    asker.close()


def test_a_client_that_takes_nothing_is_closed_in_time(stage: Stage) -> None:
    server = serve(stage, None, {"write-timeout": 0.3})
    node, asker = stage.node(), client(stage, receive_buffer=4096)
    asker.get()
    request = node.expect_request()
    node.respond(request.sid, bytes(6 * 1024 * 1024))
    server.wait_counter("connections.given-up.write-timeout")
    node.expect_end(request.sid)
    asker.close()


def test_an_error_reaches_who_is_still_sending(stage: Stage) -> None:
    """The half-close: our close_notify, and the upload is discarded until the client has read it."""
    serve(stage, None, {"max-body": 1000})
    asker = client(stage)
    asker.send_head(method="POST", headers=[("Content-Length", "200000")])
    asker.send(bytes(200_000))
    assert asker.read_response().status == 413
    asker.close()


def test_a_proxy_header_before_tls(stage: Stage) -> None:
    serve(stage, {"bind-ssl": "127.0.0.1:0 proxy-protocol", "trusted-proxies": ["127.0.0.1"]})
    node = stage.node()
    plain = socket.create_connection(("127.0.0.1", stage.server.port), PATIENCE)
    plain.sendall(v1("198.51.100.7", 4711))
    with client_context().wrap_socket(plain, server_hostname=HOST) as connection:
        connection.sendall(request_head())
        request = node.expect_request()
        assert (request["REMOTE_ADDR"], request["HTTPS"]) == ("198.51.100.7", "on")
        assert request["HTTP_X_FORWARDED_PROTO"] == "https"
    node.expect_end(request.sid)


def test_with_the_loop_that_serve_uses(stage: Stage) -> None:
    """uvloop where it is installed: large bodies both ways, half-close, stall."""
    server, _, hosts = tables(stage)
    endpoint = f"ipc://{stage.folder}/nodes"
    process = stage.serve_process(stage.configure({**server, "zmq": endpoint}, None, hosts))
    port = process.wait_ready()
    node = stage.node(endpoint=endpoint)
    asker = RawClient(port, tls=client_context(), server_name=HOST)
    body = bytes(range(256)) * 8192
    asker.post(body)
    request = node.expect_request()
    assert node.expect_body(request.sid, len(body)) == body
    node.respond(request.sid, body)
    assert asker.read_response().body == body
    stage.exchange(node, asker, "/second")
    with contextlib.suppress(OSError):
        asker._socket.unwrap()  # type: ignore[attr-defined]
    node.expect_end(request.sid)
    asker.close()


@pytest.mark.parametrize("ending", ["\r\n", "", "X-Long: " + "x" * 5000])
def test_plain_http_in_pieces_is_told_where_to_go(stage: Stage, ending: str) -> None:
    """Also where its head has no end, or none soon."""
    server = serve(stage, {"handshake-timeout": 0.3})
    asker = stage.client()
    for piece in ("GE", "T / HTTP/1.1\r\nHo", f"st: {HOST}:80\r\n", ending):
        asker.send(piece.encode())
    response = asker.read_response()
    assert response.status == 400 and f"https://{HOST}".encode() in response.body
    asker.half_close()
    asker.expect_eof()
    assert server.counted()["tls.failed.plain-http"] == 1


def test_a_stop_does_not_wait_for_who_was_told(stage: Stage) -> None:
    server = serve(stage, {"drain": 0})
    asker = stage.client()
    asker.get()
    assert asker.read_response().status == 400
    server.server.stop()
    server.join()


def test_tls_on_a_plain_address_is_named_in_the_answer(stage: Stage) -> None:
    stage.serve()
    asker = stage.client()
    asker.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    response = asker.read_response()
    assert response.status == 400 and b"a TLS handshake" in response.body


# ---------------------------------------------------------------- reload


def serial(port: int, name: str = HOST) -> str:
    with connect(port, name) as connection:
        certificate = connection.getpeercert()
        assert certificate is not None
        return str(certificate["serialNumber"])


def test_a_new_certificate_is_taken_over_while_a_download_goes_on(stage: Stage) -> None:
    server = serve(stage)
    node, asker = stage.node(), client(stage)
    before, other = serial(server.port), serial(server.port, OTHER)
    asker.get()
    request = node.expect_request()
    node.send(request.sid, "headers", b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
    node.send(request.sid, "body", b"half")
    asker.read_head()
    assert asker.read_exactly(4) == b"half"
    path = write_certificate(stage.folder, HOST)
    done = server.reload()
    assert done.difference.certificates == (str(path),) and not done.difference.virtualhosts
    assert serial(server.port) != before and serial(server.port, OTHER) == other
    node.send(request.sid, "body", b"half")
    assert asker.read_exactly(4) == b"half"
    stage.exchange(node, asker)  # on the connection that began with the old one
    asker.close()
    assert server.reload().difference.certificates == ()


def test_a_bad_one_changes_nothing(stage: Stage) -> None:
    server = serve(stage)
    before, path = serial(server.port), stage.folder / f"{HOST}.pem"
    good = path.read_bytes()
    for bad, message in (
        (b"", "no private key|no chain|holds no"),
        (good[: len(good) // 3], "holds no|no chain|private key"),
    ):
        path.write_bytes(bad)
        with pytest.raises(Exception, match=message):
            server.reload()
        assert serial(server.port) == before
    path.write_bytes(good)
    server.reload()
    assert serial(server.port) == before


def test_addresses_come_and_go(stage: Stage) -> None:
    second = "127.0.0.2:0"
    server = serve(stage)
    changed, _, hosts = tables(stage, {"bind-ssl": ["127.0.0.1:0", second]})
    stage.reload(changed, None, hosts)
    added = next(each.port for each in server.server.addresses if each.host == "127.0.0.2")
    context = client_context()
    with context.wrap_socket(
        socket.create_connection(("127.0.0.2", added), PATIENCE), server_hostname=OTHER
    ) as connection:
        assert names_of(connection) == {OTHER}
        back, _, hosts = tables(stage)
        stage.reload(back, None, hosts)
        node = stage.node()
        connection.sendall(request_head(host=OTHER))  # it came by an address that is no more
        request = node.expect_request()
        assert request["HTTPS"] == "on"
    node.expect_end(request.sid)
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.2", added), PATIENCE)

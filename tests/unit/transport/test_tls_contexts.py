"""Contexts from files: which are loaded, which are kept, what is said of bad ones, and who gets which."""

from __future__ import annotations

from pathlib import Path

import pytest

from blastbeat.config.model import Address, Config, ServerConfig, VirtualHostConfig
from blastbeat.errors import ConfigError
from blastbeat.transport.tls_contexts import TlsFiles, TlsTable, load_context, load_contexts, load_table
from tests.helpers.tls import write_authority, write_certificate

HERE, THERE = Address("127.0.0.1", 443, tls=True), Address("127.0.0.1", 8443, tls=True)


def config(*virtualhosts: VirtualHostConfig, certificate: Path | None = None) -> Config:
    server = ServerConfig(bind_ssl=(HERE,), certificate=str(certificate or ""))
    return Config(server, virtualhosts)


def test_who_gets_which(tmp_path: Path) -> None:
    own, wild, server = (str(write_certificate(tmp_path, name)) for name in ("a.test", "*.b.test", "s.test"))
    table = load_table(
        config(
            VirtualHostConfig("a.test", alias=("c.test",), certificate=own),
            VirtualHostConfig("*.b.test", certificate=wild),
            VirtualHostConfig("d.test", certificate=own, bind_ssl=(THERE,)),
            VirtualHostConfig("e.test"),
            certificate=Path(server),
        ),
        ["http/1.1"],
    )

    def chosen(address: Address, name: bytes) -> str:
        loaded = table.choose(address, name)
        return loaded.files.certificate if loaded is not None else ""

    assert [chosen(HERE, name) for name in (b"a.test", b"c.test", b"x.b.test")] == [own, own, wild]
    assert [chosen(HERE, name) for name in (b"e.test", b"", b"d.test", b"nobody")] == [server] * 4
    assert [chosen(THERE, name) for name in (b"d.test", b"", b"a.test")] == [own, server, server]


def test_without_a_certificate_of_the_server_the_first_virtualhost_is_the_default(tmp_path: Path) -> None:
    first, second = (str(write_certificate(tmp_path, name)) for name in ("a.test", "b.test"))
    table = load_table(
        config(
            VirtualHostConfig("a.test", certificate=first), VirtualHostConfig("b.test", certificate=second)
        ),
        [],
    )
    for name in (b"", b"nobody.test"):
        loaded = table.choose(HERE, name)
        assert loaded is not None and loaded.files.certificate == first
    assert TlsTable(Config(), {}).choose(HERE, b"a.test") is None


def test_only_what_changed_is_loaded_again(tmp_path: Path) -> None:
    paths = [write_certificate(tmp_path, name) for name in ("a.test", "b.test")]
    wanted = config(*(VirtualHostConfig(path.stem, certificate=str(path)) for path in paths))
    before = load_contexts(wanted, [])
    write_certificate(tmp_path, "b.test")
    after = load_contexts(wanted, [], before)
    a, b = (TlsFiles(str(path)) for path in paths)
    assert after[a] is before[a] and after[b] is not before[b]


def test_what_is_wrong_is_said_with_file_and_key(tmp_path: Path) -> None:
    good, other = (write_certificate(tmp_path, name) for name in ("a.test", "b.test"))
    chain_only = tmp_path / "chain.pem"
    chain_only.write_bytes(b"-----BEGIN CERT" + good.read_bytes().partition(b"-----BEGIN CERT")[2])
    empty = tmp_path / "empty.pem"
    empty.write_bytes(b"")
    missing = tmp_path / "missing.pem"
    cases = [
        (VirtualHostConfig("a", certificate=str(missing)), "certificate", "can't be read"),
        (VirtualHostConfig("b", certificate=str(chain_only), key=str(missing)), "key", "can't be read"),
        (VirtualHostConfig("c", certificate=str(chain_only), key=str(other)), "key", "is not the key of"),
        (VirtualHostConfig("d", certificate=str(chain_only)), "certificate", "holds no private key"),
        (VirtualHostConfig("e", certificate=str(empty), key=str(other)), "certificate", "no chain"),
        (
            VirtualHostConfig("f", certificate=str(good), client_ca=str(empty), client_verify="required"),
            "client-ca",
            "holds no certificates",
        ),
    ]
    with pytest.raises(ConfigError) as caught:
        load_contexts(config(*(case for case, _, _ in cases)), [])
    found = [(problem.key, problem.message) for problem in caught.value.problems]
    assert len(found) == len(cases)
    for (key, message), (_, wanted_key, wanted) in zip(found, cases, strict=True):
        assert key == wanted_key and wanted in message


def test_a_context_speaks_nothing_old(tmp_path: Path) -> None:
    files = TlsFiles(
        str(write_certificate(tmp_path, "a.test")), "", str(write_authority(tmp_path)), "optional"
    )
    context = load_context(files, ["http/1.1"]).context
    names = {cipher["name"] for cipher in context.get_ciphers()}
    assert all(name.startswith(("TLS_", "ECDHE-")) and "CBC" not in name for name in names)
    assert all("GCM" in name or "POLY1305" in name or "CCM" in name for name in names)


def test_what_is_offered_by_alpn_is_part_of_a_context(tmp_path: Path) -> None:
    path = write_certificate(tmp_path, "a.test")
    wanted = config(VirtualHostConfig("a.test", certificate=str(path)))
    files = TlsFiles(str(path))
    before = load_contexts(wanted, ["http/1.1"])
    assert load_contexts(wanted, ["http/1.1"], before)[files] is before[files]
    assert load_contexts(wanted, ["h2", "http/1.1"], before)[files] is not before[files]


def test_which_were_renewed(tmp_path: Path) -> None:
    paths = [write_certificate(tmp_path, name) for name in ("a.test", "b.test", "c.test")]
    hosts = [VirtualHostConfig(path.stem, certificate=str(path)) for path in paths]
    before = load_table(config(*hosts[:2]), [])
    write_certificate(tmp_path, "b.test")
    after = load_table(config(*hosts), [], before)
    assert after.renewed(before) == (str(paths[1]),)  # the third is new, which is another difference
    assert after.renewed(after) == () == after.renewed(None)


def test_names_with_ports_are_asked_for_without(tmp_path: Path) -> None:
    """Whatever port clients know, behind something that forwards it."""
    first, second = (str(write_certificate(tmp_path, name)) for name in ("a.test", "b.test"))
    table = load_table(
        config(
            VirtualHostConfig("a.test", certificate=first),
            VirtualHostConfig("b.test:9443", alias=("*.b.test:443", "[::1]:80"), certificate=second),
        ),
        [],
    )
    for name, file in ((b"b.test", second), (b"x.b.test", second), (b"a.test", first), (b"c.test", first)):
        loaded = table.choose(HERE, name)
        assert loaded is not None and loaded.files.certificate == file, name

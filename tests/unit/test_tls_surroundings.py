"""What check says of certificates and keys on this machine."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from blastbeat.certificates import read_chain
from blastbeat.config.build import build
from blastbeat.config.files import read_files
from blastbeat.errors import Problem
from blastbeat.tls_surroundings import examine_tls
from tests.helpers.tls import authority, write_authority, write_certificate

DAY = 86400.0
UNTIL = datetime(2040, 1, 1, tzinfo=UTC)
SERVER = '[blastbeat]\nbind-ssl = "127.0.0.1:0"\nzmq = "ipc://x"\n'  # three lines
HOST = '[vhost."a.test"]\nnode = "app"\n'


@pytest.fixture
def issued(tmp_path: Path) -> Path:
    """Key and certificate of a.test, in files of their own too."""
    made = authority().issue_cert("a.test", not_after=UNTIL)
    made.private_key_and_cert_chain_pem.write_to_path(tmp_path / "a.pem")
    (tmp_path / "a.pem").chmod(0o600)
    made.private_key_pem.write_to_path(tmp_path / "a.key")
    (tmp_path / "a.key").chmod(0o600)
    (tmp_path / "a.crt").write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    return tmp_path


def look(folder: Path, text: str, now: float = UNTIL.timestamp() - 40 * DAY) -> list[tuple[str, int, str]]:
    path = folder / "x.toml"
    path.write_text(text)
    found: list[Problem] = list(examine_tls(build(read_files(path, {}), str(path), {}), now))
    return [(problem.severity, problem.line, problem.message) for problem in found]


@pytest.mark.parametrize("keys", ['certificate = "a.pem"\n', 'certificate = "a.crt"\nkey = "a.key"\n'])
def test_nothing_is_wrong(issued: Path, keys: str) -> None:
    assert look(issued, f"{SERVER}{HOST}{keys}") == []
    assert look(issued, f"{SERVER}{keys}{HOST}") == []


@pytest.mark.parametrize(
    ("days", "severity", "words"),
    [
        (29, "warning", "it expires on 2040-01-01 00:00 UTC"),
        (-1, "warning", "it expired on 2040-01-01 00:00 UTC"),
        (100_000, "warning", "it is not valid before"),
    ],
)
def test_when_it_is_good(issued: Path, days: float, severity: str, words: str) -> None:
    [found] = look(issued, f'{SERVER}{HOST}certificate = "a.pem"\n', UNTIL.timestamp() - days * DAY)
    assert found[:2] == (severity, 6) and words in found[2]


@pytest.mark.parametrize(
    ("keys", "line", "words"),
    [
        ('certificate = "none.pem"\n', 6, "can't be read"),
        ('certificate = "a.crt"\n', 6, "holds no private key"),
        ('certificate = "a.crt"\nkey = "other.pem"\n', 7, "is not the key of"),
        ('certificate = "x.toml"\nkey = "a.key"\n', 6, "makes no chain"),
        ('certificate = "a.pem"\nclient-ca = "a.key"\n', 7, "holds no certificates"),
    ],
)
def test_files_that_do_not_serve(issued: Path, keys: str, line: int, words: str) -> None:
    write_certificate(issued, "other.test").rename(issued / "other.pem")
    (issued / "other.pem").chmod(0o600)
    found = [each for each in look(issued, f"{SERVER}{HOST}{keys}") if each[0] == "error"]
    assert len(found) == 1 and found[0][1] == line and words in found[0][2]


def test_names_that_it_does_not_cover(issued: Path) -> None:
    names = 'alias = ["b.test:8443", "*.a.test", "a.test:1", "192.0.2.1"]\n'
    [found] = look(issued, f'{SERVER}{HOST}{names}certificate = "a.pem"\n')
    assert found[:2] == ("warning", 7)
    assert "does not cover b.test, *.a.test, 192.0.2.1:" in found[2]

    [found] = look(
        issued, f'{SERVER}certificate = "a.pem"\n[vhost."b.test"]\nnode = "n"\n[vhost."*"]\nnode="n"\n'
    )
    assert found[:2] == ("warning", 5) and "does not cover b.test" in found[2]


def test_a_chain_in_disorder(issued: Path) -> None:
    root = write_authority(issued).read_bytes()
    leaf = (issued / "a.pem").read_bytes()
    (issued / "a.pem").write_bytes(leaf + leaf[leaf.index(b"-----BEGIN CERT") :] + root)
    assert not read_chain(leaf)[1:]
    [found] = look(issued, f'{SERVER}{HOST}certificate = "a.pem"\n')
    assert found[:2] == ("warning", 6) and "not in order" in found[2]


def test_a_key_that_everybody_may_read(issued: Path) -> None:
    (issued / "a.key").chmod(0o644)
    [found] = look(issued, f'{SERVER}{HOST}certificate = "a.crt"\nkey = "a.key"\n')
    assert found[:2] == ("warning", 7) and "may read it" in found[2]


def test_a_key_beside_the_certificate_that_everybody_may_read(issued: Path) -> None:
    (issued / "a.pem").chmod(0o644)
    (issued / "a.crt").chmod(0o644)
    [found] = look(issued, f'{SERVER}{HOST}certificate = "a.pem"\n')
    assert found[:2] == ("warning", 6) and "a key is in it too" in found[2]


def test_a_file_that_is_not_there_is_told_of_once(issued: Path) -> None:
    [found] = look(issued, f'{SERVER}{HOST}certificate = "none.pem"\n')
    assert found[:2] == ("error", 6)
    [found] = look(issued, f'{SERVER.replace("bind-ssl", "bind")}{HOST}certificate = "none.pem"\n')
    assert found[:2] == ("warning", 6)


def test_each_file_is_told_of_once(issued: Path) -> None:
    hosts = "".join(f'[vhost."a.test:{port}"]\nnode = "n"\ncertificate = "a.pem"\n' for port in (1, 2, 3))
    assert len(look(issued, SERVER + hosts, UNTIL.timestamp() - DAY)) == 1

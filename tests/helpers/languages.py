"""The nodes in `examples/nodes`: how each is started, and what it needs of the machine.

Knows commands and packages, nothing of what the nodes do.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.helpers.source_tree import ROOT

NODES = ROOT / "examples" / "nodes"
INSTALL_SECONDS = 120


class Missing(Exception):
    """The machine has not what the language needs; the text says what."""


def _run(command: list[str], folder: Path, lacking: str) -> None:
    """Missing, with the end of what it said, when the command fails."""
    if shutil.which(command[0]) is None:
        raise Missing(f"{lacking}: there is no {command[0]}")
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=INSTALL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"{lacking}: {' '.join(command)} took longer than {INSTALL_SECONDS} s") from None
    if done.returncode:
        raise Missing(f"{lacking}: {' '.join(command)} says {done.stdout.strip()[-300:]}")


@functools.cache
def _workshop() -> tempfile.TemporaryDirectory[str]:
    """Where things are built, until the tests are over."""
    return tempfile.TemporaryDirectory(prefix="blastbeat-nodes-")


def python(folder: Path) -> list[str]:
    return [sys.executable, str(NODES / "python" / "node.py")]


def c(folder: Path) -> list[str]:
    command = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-o", "node"]
    _run([*command, str(NODES / "c" / "node.c"), "-lzmq"], folder, "Debian's gcc and libzmq3-dev are needed")
    return [str(folder / "node")]


def ruby(folder: Path) -> list[str]:
    _run(["ruby", "-e", "require 'ffi-rzmq'"], folder, "Debian's ruby and ruby-ffi-rzmq are needed")
    return ["ruby", "-w", str(NODES / "ruby" / "node.rb")]


def php(folder: Path) -> list[str]:
    _run(
        ["php", "-r", "exit(class_exists('ZMQ') ? 0 : 1);"], folder, "Debian's php-cli and php-zmq are needed"
    )
    return ["php", str(NODES / "php" / "node.php")]


def perl(folder: Path) -> list[str]:
    _run(["perl", "-MZMQ::FFI", "-e", "1"], folder, "Debian's perl and libzmq-ffi-perl are needed")
    return ["perl", str(NODES / "perl" / "node.pl")]


def nodejs(folder: Path) -> list[str]:
    for name in ("node.js", "package.json"):
        shutil.copy(NODES / "nodejs" / name, folder)
    lacking = "Node.js and npm's zeromq are needed"
    _run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"], folder, lacking)
    _run(["node", "-e", "require('zeromq')"], folder, lacking)
    return ["node", str(folder / "node.js")]


LANGUAGES: dict[str, Callable[[Path], list[str]]] = {
    each.__name__: each for each in (python, c, ruby, php, perl, nodejs)
}
"""Language -> what prepares its node in an empty folder and returns the command that starts it."""


@functools.cache
def prepare(language: str) -> list[str]:
    """The command, to which endpoint, name and seconds of silence are added; made once. Raises Missing."""
    folder = Path(_workshop().name, language)
    folder.mkdir()
    return LANGUAGES[language](folder)

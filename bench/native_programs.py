"""The C programs of a measurement, compiled on first use beside their source."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SOURCES = Path(__file__).parent / "native"


def native(name: str) -> str:
    """The path of the compiled program; ends the run with what is missing where it cannot be made."""
    source, binary = SOURCES / f"{name}.c", SOURCES / f"{name}.bin"
    if binary.exists() and binary.stat().st_mtime >= source.stat().st_mtime:
        return str(binary)
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise SystemExit(f"{source.name} needs a C compiler: apt install gcc libc6-dev libzmq3-dev")
    libraries = ["-lzmq"] if "<zmq.h>" in source.read_text() else []
    command = [compiler, "-O2", "-o", str(binary), str(source), *libraries]
    made = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    if made.returncode:
        raise SystemExit(f"{source.name} does not compile (apt install libzmq3-dev):\n{made.stderr}")
    return str(binary)

"""Runs a fuzz target: under atheris where that is installed, else over inputs that are damaged at random.

Knows no target: those call `run` with their seeds, what they are damaged with, and perhaps what makes more.
"""

from __future__ import annotations

import argparse
import dis
import random
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

SECONDS = 60.0

Make = Callable[[random.Random], bytes]


def run(
    target: Callable[[bytes], None],
    seeds: Sequence[bytes],
    tokens: Sequence[bytes],
    make: Make | None = None,
    covers: Sequence[str] = (),
) -> int:
    """The exit code. Arguments are atheris's, or else the number of processor seconds, and the seed.

    `make` makes inputs by a grammar; `covers` are files that ``--coverage`` tells of: then every line of a
    function there that no input has reached makes the exit code 1.
    """
    try:
        atheris = import_module("atheris")
    except ImportError:
        return _run_without_atheris(target, seeds, tokens, make, covers)
    atheris.instrument_all()
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
    return 0


def _run_without_atheris(
    target: Callable[[bytes], None],
    seeds: Sequence[bytes],
    tokens: Sequence[bytes],
    make: Make | None,
    covers: Sequence[str],
) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("seconds", type=float, nargs="?", default=SECONDS)
    parser.add_argument("seed", type=int, nargs="?", default=random.randrange(2**32))
    parser.add_argument("--coverage", action="store_true")
    arguments = parser.parse_args()
    dice = random.Random(arguments.seed)
    lines = _Lines(covers if arguments.coverage else ())
    inputs = 0
    while time.process_time() < arguments.seconds:
        data = bytes([dice.randint(0, 255)])
        is_made = make is not None and dice.random() < 0.6
        data += _damaged(dice, make(dice), tokens) if is_made and make else _mutated(dice, seeds, tokens)
        try:
            target(data)
        except BaseException:
            sys.stderr.write(f"after {inputs} inputs of seed {arguments.seed}: {data!r}\n")
            raise
        inputs += 1
    sys.stderr.write(f"{inputs} inputs of seed {arguments.seed}, nothing found\n")
    return lines.tell()


class _Lines:
    """Which lines of some files were run."""

    def __init__(self, files: Sequence[str]) -> None:
        self._missing = {file: _lines_of(file) for file in files}
        if files:
            sys.settrace(self._call)

    def _call(self, frame: FrameType, event: str, argument: object) -> Any:
        return self._line if frame.f_code.co_filename in self._missing else None

    def _line(self, frame: FrameType, event: str, argument: object) -> Any:
        self._missing[frame.f_code.co_filename].discard(frame.f_lineno)
        return self._line

    def tell(self) -> int:
        """The exit code."""
        sys.settrace(None)
        for file, lines in self._missing.items():
            shown = ", ".join(map(str, sorted(lines))) or "none"
            sys.stderr.write(f"{Path(file).name}: lines that no input reached: {shown}\n")
        return int(any(self._missing.values()))


def _lines_of(file: str) -> set[int]:
    """Of the functions that a file defines, for what stands outside of them runs at the import."""
    found: set[int] = set()
    pending = list(compile(Path(file).read_text(), file, "exec").co_consts)
    while pending:
        code = pending.pop()
        if isinstance(code, CodeType):
            pending += code.co_consts
            if code.co_flags & 0x2:  # a function: not the body of a class
                first = code.co_firstlineno
                found |= {line for _, line in dis.findlinestarts(code) if line is not None and line != first}
    return found


def _damaged(dice: random.Random, made: bytes, tokens: Sequence[bytes]) -> bytes:
    return made if dice.random() < 0.7 else _mutated(dice, [made], tokens, most=1)


def _mutated(dice: random.Random, seeds: Sequence[bytes], tokens: Sequence[bytes], most: int = 4) -> bytes:
    """Some seeds one after the other, with some damage."""
    data = bytearray(b"".join(dice.choice(seeds) for _ in range(dice.randint(1, most))))
    for _ in range(dice.randint(0, 4)):
        at = dice.randint(0, len(data))
        match dice.randint(0, 4):
            case 0:
                data[at : at + dice.randint(1, 9)] = b""
            case 1:
                data[at:at] = dice.choice(tokens)
            case 2:
                data[at : at + 2] = dice.choice(tokens)
            case 3:
                data[at : at + 1] = bytes([dice.randint(0, 255)])
            case 4:
                start = dice.randint(0, len(data))
                data[at:at] = data[start : start + dice.randint(1, 40)]
    return bytes(data)

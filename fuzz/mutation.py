"""Runs a fuzz target: under atheris where that is installed, else over seeds that are damaged at random.

Knows no target: those call `run` with their seeds and what they are damaged with.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module

SECONDS = 60.0


def run(target: Callable[[bytes], None], seeds: Sequence[bytes], tokens: Sequence[bytes]) -> int:
    """The exit code. Arguments are atheris's, or else the number of seconds."""
    try:
        atheris = import_module("atheris")
    except ImportError:
        return _run_without_atheris(target, seeds, tokens)
    atheris.instrument_all()
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
    return 0


def _run_without_atheris(
    target: Callable[[bytes], None], seeds: Sequence[bytes], tokens: Sequence[bytes]
) -> int:
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    deadline = time.monotonic() + (float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS)
    inputs = 0
    while time.monotonic() < deadline:
        data = bytes([dice.randint(0, 255)]) + _mutated(dice, seeds, tokens)
        try:
            target(data)
        except BaseException:
            sys.stderr.write(f"after {inputs} inputs of seed {seed}: {data!r}\n")
            raise
        inputs += 1
    sys.stderr.write(f"{inputs} inputs of seed {seed}, nothing found\n")
    return 0


def _mutated(dice: random.Random, seeds: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """Some seeds one after the other, with some damage."""
    data = bytearray(b"".join(dice.choice(seeds) for _ in range(dice.randint(1, 4))))
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

"""`blastbeat auth-basic-hash USER`: prints a line for a password file.

The password is asked for, or read from standard input; never taken from the command line, where everybody on
the machine can read it.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Sequence

import bcrypt

from blastbeat_auth_basic.hashes import BCRYPT_BYTES, MAX_BCRYPT_COST
from blastbeat_auth_basic.users import UsersError, parse_users

COST = 12


def make_line(arguments: Sequence[str]) -> int:
    """Exit code 0, or 1 with a line on standard error that says what is wrong."""
    parser = argparse.ArgumentParser(prog="blastbeat auth-basic-hash", description=__doc__.splitlines()[0])
    parser.add_argument("user")
    parser.add_argument(
        "--cost", type=int, default=COST, help=f"of bcrypt, {COST} by default; each step doubles"
    )
    options = parser.parse_args(arguments)
    try:
        line = format_line(options.user, _read_password(), options.cost)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{line}\n")
    return 0


def format_line(user: str, password: str, cost: int = COST) -> str:
    """``user:hash`` with bcrypt. Raises ValueError that says what is wrong."""
    if not 4 <= cost <= MAX_BCRYPT_COST:
        raise ValueError(f"the cost must be from 4 to {MAX_BCRYPT_COST}")
    coded = password.encode()
    if not 0 < len(coded) <= BCRYPT_BYTES:
        raise ValueError(f"a password has 1 to {BCRYPT_BYTES} bytes")
    if not password.isprintable():
        raise ValueError("a password holds no control characters")
    if ":" in user or user.startswith("#") or user != user.strip():
        raise ValueError("a name has no colon, no # in front and no blanks around it")
    line = f"{user}:{bcrypt.hashpw(coded, bcrypt.gensalt(cost)).decode()}"
    try:
        parse_users(line.encode(), "the line")
    except UsersError as error:
        raise ValueError(str(error)) from None
    return line


def _read_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise ValueError("these were two different passwords")
    return password

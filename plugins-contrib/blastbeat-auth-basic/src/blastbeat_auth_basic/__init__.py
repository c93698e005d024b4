"""Request authenticator `auth-basic`: names and passwords (RFC 7617) from htpasswd files.

Declares the options and puts the parts together; knows nothing of hashes or HTTP itself.
"""

from __future__ import annotations

import os

from blastbeat import hookimpl
from blastbeat.buckets import Buckets
from blastbeat.errors import ConfigError, Problem
from blastbeat.interfaces import Options, Register, RegisterCommand, RegisterCounter
from blastbeat.validators import FileContent, choice, frequency, several, time, told_fields, whole, words
from blastbeat_auth_basic.authenticator import COUNTERS, BasicAuthenticator
from blastbeat_auth_basic.checks import Checks
from blastbeat_auth_basic.command import make_line
from blastbeat_auth_basic.credentials import realm
from blastbeat_auth_basic.users import MAX_FILE_SIZE, UserFiles, UsersError

__all__ = ["BasicAuthenticator"]

blastbeat_api = (1, 0)

OPTIONS = {
    "file": several(FileContent(MAX_FILE_SIZE)),
    "realm": realm,
    "users": words,
    "header": told_fields,
    "authorization": choice("remove", "keep"),
    "failures": frequency(1 / 3600, 1000),
    "failure-burst": whole(1, 10_000),
    "clients": whole(100, 1_000_000),
    "checks": whole(1, 64),
    "waiting": whole(1, 10_000),
    "remember": time(0, 86_400),
    "remembered": whole(1, 100_000),
}


def _make(options: Options) -> BasicAuthenticator:
    if "file" not in options:
        raise ConfigError(
            [Problem("auth-basic: say file=NAME, a file as htpasswd writes it", value="auth-basic")]
        )
    try:
        files = UserFiles(options["file"])
    except UsersError as error:
        raise ConfigError([Problem(str(error), key="file")]) from None
    checks = Checks(
        # The others are left to the event loop: hashing needs a core for itself.
        threads=options.get("checks", max(1, (os.cpu_count() or 2) // 2)),
        waiting=options.get("waiting", 64),
        remember=options.get("remember", 600.0),
        remembered=options.get("remembered", 1000),
        failures=_failures(options),
    )
    return BasicAuthenticator(
        files,
        checks,
        realm=options.get("realm", "Restricted"),
        users=options.get("users", ()),
        headers=options.get("header", ()),
        keeps_authorization=options.get("authorization") == "keep",
    )


def _failures(options: Options) -> Buckets:
    per_second = options.get("failures", 0.5)
    return Buckets(per_second, options.get("failure-burst", 10) / per_second, options.get("clients", 10_000))


@hookimpl
def blastbeat_register_counters(register: RegisterCounter) -> None:
    for name, meaning in COUNTERS.items():
        register(name, meaning)


@hookimpl
def blastbeat_register_request_authenticators(register: Register) -> None:
    register("auth-basic", _make, options=OPTIONS)


@hookimpl
def blastbeat_register_commands(register: RegisterCommand) -> None:
    register("auth-basic-hash", make_line, summary="a line for a password file of auth-basic")

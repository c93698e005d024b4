"""The keys of plans and customers: names, units, bounds; and the levels that a limit may hold at.

Pure; knows no customer. A limit's key is the name of what is limited for all of a customer together; in front
of it stands `virtualhost-` for each of its virtualhosts, or `client-` for each client's address.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from zoneinfo import ZoneInfo

from blastbeat.interfaces import Validator
from blastbeat.networks import networks
from blastbeat.validators import (
    FileContent,
    choice,
    flag,
    frequency,
    rate,
    read_file,
    size,
    text,
    time,
    tokens,
    whole,
)

PREFIXES = ("client-", "virtualhost-", "")
"""From the narrowest level to the widest: each client's address, each virtualhost, the whole customer. Their
places here are the indexes of levels everywhere."""

UNLIMITED = "unlimited"
"""What a customer's table says to lift a limit of its plan."""

PER_SECOND = ("new-sessions", "requests", "messages")
BYTES_PER_SECOND = ("upload", "download")

MAX_PAGE = 1 << 20
MAX_BYTES = 1 << 60
MAX_RATE = 125_000_000_000

DEFAULT_RETRY = 600.0


def or_unlimited(validate: Validator) -> Validator:
    """The same, or None for `unlimited`."""

    def validate_or_none(value: object) -> object:
        if isinstance(value, str) and value.strip().lower() == UNLIMITED:
            return None
        return validate(value)

    return validate_or_none


def methods(value: object) -> tuple[bytes, ...]:
    """Names of methods, in capitals as they are sent. Raises ValueError."""
    found = tokens(value)
    for method in found:
        if method != method.upper():
            raise ValueError(f"has {method.decode()!r}; methods are written in capitals, as GET")
    return found


class Page(FileContent):
    """A file that is read: its content."""

    def in_folder(self, folder: str) -> Page:
        return Page(MAX_PAGE, folder)

    def __call__(self, value: object) -> bytes:  # type: ignore[override]  # the content, not the name
        return read_file(super().__call__(value), MAX_PAGE)


class UsageFile:
    """The absolute name of a file that may not be there yet; empty for none. A relative one starts at the
    folder of the configuration."""

    def __init__(self, folder: str = "") -> None:
        self._folder = folder

    def in_folder(self, folder: str) -> UsageFile:
        return UsageFile(folder)

    def __call__(self, value: object) -> str:
        """Raises ValueError where its folder is not there."""
        written = text(value)
        if not written:
            return ""
        path = os.path.abspath(os.path.join(self._folder, written))
        if os.path.isdir(path):
            raise ValueError(f"{path} is a folder; write a file in it, as {path}/usage.sqlite")
        if not os.path.isdir(os.path.dirname(path)):
            raise ValueError(
                f"its folder {os.path.dirname(path)} does not exist; make it, for the server's account"
            )
        return path


def timezone(value: object) -> str:
    """The name of a time zone that this system knows. Raises ValueError."""
    name = text(value)
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise ValueError("is no time zone known here; write for example UTC or Europe/Rome") from None
    return name


def _leveled() -> dict[str, Validator]:
    found: dict[str, Validator] = {}
    for prefix in PREFIXES:
        found[f"{prefix}sessions"] = or_unlimited(whole(1, 10_000_000))
        for name in PER_SECOND:
            found[f"{prefix}{name}"] = or_unlimited(frequency(1 / 3600, 1_000_000))
            found[f"{prefix}{name}-burst"] = whole(1, 1_000_000)
        for name in BYTES_PER_SECOND:
            found[f"{prefix}{name}"] = or_unlimited(rate(125, MAX_RATE))
            found[f"{prefix}{name}-burst"] = size(1, MAX_BYTES)
    return found


PLAN_KEYS: Mapping[str, Validator] = {
    **_leveled(),
    "max-body": or_unlimited(size(1, MAX_BYTES)),
    "messages-over": choice("slow", "close"),
    "traffic": or_unlimited(size(1, MAX_BYTES)),
    "virtualhost-traffic": or_unlimited(size(1, MAX_BYTES)),
    "methods": or_unlimited(methods),
    "nodes": or_unlimited(whole(1, 100_000)),
    "instances": or_unlimited(whole(1, 100_000)),
    "node-networks": or_unlimited(networks),
    "maintenance": flag,
    "maintenance-page": Page(MAX_PAGE),
    "maintenance-retry-after": time(1, 30 * 86_400),
    "maintenance-networks": or_unlimited(networks),
}
"""The keys of `[plan.NAME]`, and but `plan` those of `[customer.NAME]`, which go before its plan's."""

CUSTOMER_KEYS: Mapping[str, Validator] = {"plan": text, **PLAN_KEYS}

OWN_KEYS: Mapping[str, Validator] = {
    "file": UsageFile(),
    "timezone": timezone,
    "write-every": time(0.1, 5),
    "keep-months": whole(1, 1200),
    "clients": whole(100, 1_000_000),
}
"""The keys of `[plugin.policy]`."""

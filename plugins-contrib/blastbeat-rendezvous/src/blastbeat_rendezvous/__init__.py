"""Selector `rendezvous`: highest random weight, with weights, zones and slow start.

Declares the options and puts the parts together; draws nothing itself.
"""

from __future__ import annotations

from blastbeat import hookimpl
from blastbeat.errors import ConfigError, Problem
from blastbeat.interfaces import Options, Register
from blastbeat.request_keys import address_key, parse_request_key
from blastbeat.validators import flag, time, whole
from blastbeat_rendezvous.nodes import Nodes, zone_names
from blastbeat_rendezvous.selector import Rendezvous
from blastbeat_rendezvous.spill import parse_spill

__all__ = ["Rendezvous"]

MAX_SLOW_START = 86_400.0
MAX_SESSIONS = 1_000_000

OPTIONS = {
    "key": parse_request_key,
    "zone": zone_names,
    "spill": parse_spill,
    "strict": flag,
    "slow-start": time(0, MAX_SLOW_START),
    "busy": whole(1, MAX_SESSIONS),
}


def _make(options: Options) -> Rendezvous:
    for key in ("spill", "strict"):
        if options.get(key) and "zone" not in options:
            raise ConfigError([Problem(f"{key} goes with zone; say which zone is the own one", key=key)])
    return Rendezvous(
        options.get("key", address_key),
        Nodes(options.get("zone", ()), is_strict=options.get("strict", False)),
        spill_below=options.get("spill", 0.0),
        slow_start=options.get("slow-start", 0.0),
        busy=options.get("busy", 0),
    )


@hookimpl
def blastbeat_register_selectors(register: Register) -> None:
    register("rendezvous", _make, options=OPTIONS)

"""The plugins BlastBeat brings along: one file each, found and registered exactly as a third party's are.

Written like the values of entry points: a module, or a class of it, which is made once per server.
"""

from __future__ import annotations

BUILT_INS: tuple[str, ...] = (
    "blastbeat.plugins.least_connections",
    "blastbeat.plugins.round_robin",
    "blastbeat.plugins.identity",
)

"""The plugins BlastBeat brings along: one file each, found and registered exactly as a third party's are.

Written like the values of entry points: a module, or a class of it, which is made once per server.
"""

from __future__ import annotations

BUILT_INS: tuple[str, ...] = (
    "blastbeat.plugins.http1_h11",
    "blastbeat.plugins.http1_fast",
    "blastbeat.plugins.websocket_wsproto",
    "blastbeat.plugins.websocket_fast",
    "blastbeat.plugins.headers_encoder",
    "blastbeat.plugins.uwsgi_encoder",
    "blastbeat.plugins.body_encoder",
    "blastbeat.plugins.chunk_encoder",
    "blastbeat.plugins.websocket_encoder",
    "blastbeat.plugins.end_encoder",
    "blastbeat.plugins.abort_encoder",
    "blastbeat.plugins.retry_encoder",
    "blastbeat.plugins.credit_encoder",
    "blastbeat.plugins.pong_encoder",
    "blastbeat.plugins.drain_encoder",
    "blastbeat.plugins.least_connections",
    "blastbeat.plugins.round_robin",
    "blastbeat.plugins.weighted_round_robin",
    "blastbeat.plugins.two_choices",
    "blastbeat.plugins.hash_selector",
    "blastbeat.plugins.first_available",
    "blastbeat.plugins.identity",
    "blastbeat.plugins.address",
    "blastbeat.plugins.redirect",
    "blastbeat.plugins.rewrite",
    "blastbeat.plugins.headers",
    "blastbeat.plugins.answer:AnswerPlugin",
    "blastbeat.plugins.limits",
    "blastbeat.plugins.access_log:AccessLogPlugin",
)

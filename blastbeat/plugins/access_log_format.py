"""A line of the access log: the figures of one request as text in the combined format, or as JSON.

docs/reference/logs.md says field by field what stands there. Pure; where lines go is the server's business.
"""

from __future__ import annotations

from functools import lru_cache

from blastbeat.interfaces import ExchangeView
from blastbeat.log_text import (
    escape,
    escape_each,
    escape_word,
    format_common_time,
    format_time,
    json_string,
    to_bytes,
)


def format_combined(view: ExchangeView) -> str:
    """The combined log format, and behind it what it has no place for, as `name=value`. Printable ASCII,
    without the newline. ``-`` stands for what never became known, like the virtualhost of a 404."""
    # fmt: off
    (
        started_at, addr, port, virtualhost, host, method, target, version, status, bytes_in, bytes_out,
        duration, node_duration, identity, reason, detail, request_id, referer, user_agent, hops, route, user,
        close_code, *_,
    ) = view
    # fmt: on
    shown_method, shown_target, shown_version, shown_host, shown_referer, shown_agent = escape_each(
        (method, target, version, host, referer, user_agent)
    )
    request = f"{shown_method} {shown_target} HTTP/{shown_version}" if method else "-"
    line = (
        f"{addr or '-'} - {escape_word(user) if user else '-'} [{format_common_time(int(started_at))}]"
        f' "{request}" {status:03d} {bytes_out} "{shown_referer or "-"}" "{shown_agent or "-"}"'
        f" virtualhost={_word(virtualhost)} node={_word(identity)}"
        f" duration={duration:.6f} node_duration={node_duration:.6f}"
        f" bytes_in={bytes_in} port={port} close_reason={reason.text}"
        f" request_id={escape_word(request_id)}"
    )
    if not (route or hops or close_code or detail) and shown_host == virtualhost:
        return line
    return (
        line
        + (f" route={_word(route)}" if route else "")
        + (f" hops={hops}" if hops else "")
        + (_websocket(view, " close_code={} messages_in={} messages_out={}") if close_code else "")
        + (f' host="{shown_host}"' if shown_host != virtualhost else "")
        + (f' detail="{escape(to_bytes(detail))}"' if detail else "")
    )


def format_json(view: ExchangeView) -> str:
    """One JSON object of ASCII on one line. What never became known is left out; figures are always there."""
    request = (
        f',"method":{json_string(view.method)},"target":{json_string(view.target)}'
        f',"protocol":{json_string(b"HTTP/" + view.version)}'
        if view.method
        else ""
    )
    return (
        f'{{"time":"{format_time(view.started_at)}","client":{json_string(view.remote_addr)}'
        f',"port":{view.remote_port}{request},"status":{view.status}'
        f',"bytes_in":{view.bytes_in},"bytes_out":{view.bytes_out}'
        f',"duration":{view.duration:.6f},"node_duration":{view.node_duration:.6f}'
        f',"close_reason":"{view.reason.text}","hops":{view.hops}'
        + (f',"virtualhost":{_quoted(view.virtualhost)}' if view.virtualhost else "")
        + (f',"node":{_quoted(view.identity)}' if view.identity else "")
        + (f',"request_id":{json_string(view.request_id)}' if view.request_id else "")
        + (f',"route":{_quoted(view.route)}' if view.route else "")
        + (f',"host":{json_string(view.host)}' if view.host else "")
        + (_websocket(view, ',"close_code":{},"messages_in":{},"messages_out":{}') if view.close_code else "")
        + (f',"user":{json_string(view.user)}' if view.user else "")
        + (f',"referer":{json_string(view.referer)}' if view.referer else "")
        + (f',"user_agent":{json_string(view.user_agent)}' if view.user_agent else "")
        + (f',"detail":{json_string(view.detail)}' if view.detail else "")
        + "}"
    )


def _websocket(view: ExchangeView, template: str) -> str:
    return template.format(view.close_code, view.messages_in, view.messages_out)


# Names of virtualhosts, routes and instances: few, and short by what they are.
@lru_cache(maxsize=4096)
def _word(name: str) -> str:
    return escape_word(to_bytes(name))


@lru_cache(maxsize=4096)
def _quoted(name: str) -> str:
    return json_string(name)

"""A line of the access log: the figures of one request as text in the combined format, or as JSON.

docs/reference/logs.md says field by field what stands there. Pure; where lines go is the server's business.
"""

from __future__ import annotations

from functools import lru_cache

from blastbeat.interfaces import ExchangeView
from blastbeat.log_text import escape, escape_word, format_common_time, format_time, json_string, to_bytes


def format_combined(view: ExchangeView) -> str:
    """The combined log format, and behind it what it has no place for, as `name=value`. Printable ASCII,
    without the newline. ``-`` stands for what never became known, like the virtualhost of a 404."""
    host = escape(view.host)
    request = escape(b"%b %b HTTP/%b" % (view.method, view.target, view.version)) if view.method else "-"
    return (
        f"{view.remote_addr or '-'} - {escape_word(view.user)} [{format_common_time(int(view.started_at))}]"
        f' "{request}" {view.status:03d} {view.bytes_out}'
        f' "{escape(view.referer) or "-"}" "{escape(view.user_agent) or "-"}"'
        f" virtualhost={_word(view.virtualhost)} node={_word(view.identity)}"
        f" duration={view.duration:.6f} node_duration={view.node_duration:.6f}"
        f" bytes_in={view.bytes_in} port={view.remote_port} close_reason={view.reason.value}"
        f" request_id={escape_word(view.request_id)}"
        + (f" route={_word(view.route)}" if view.route else "")
        + (f" hops={view.hops}" if view.hops else "")
        + (_websocket(view, " close_code={} messages_in={} messages_out={}") if view.close_code else "")
        + (f' host="{host}"' if host != view.virtualhost else "")
        + (f' detail="{escape(to_bytes(view.detail))}"' if view.detail else "")
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
        f',"close_reason":"{view.reason.value}","hops":{view.hops}'
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

"""What the server can use of what plugins return: each function fails with what is wrong.

Knows the grammar of HTTP and the value objects of `interfaces`, no kind of plugin.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, get_args

from blastbeat.errors import ClientError
from blastbeat.events import CloseReason, NodeEvent, NodeHead, ResponseHead
from blastbeat.headers import is_field
from blastbeat.interfaces import Allow, Answer, Route

NODE_EVENTS: tuple[type, ...] = tuple(
    each for part in get_args(NodeEvent) for each in (get_args(part) or (part,))
)

_VARIABLE = re.compile(rb"[A-Za-z_][A-Za-z0-9_.-]*")


def check_fields(fields: Any, where: str) -> None:
    """Header fields that can stand in a head: pairs of bytes, names that are tokens, no line break in a
    value."""
    assert isinstance(fields, Iterable), f"{where}: {fields!r} are no header fields"
    for field in fields:
        assert isinstance(field, tuple) and len(field) == 2, (
            f"{where}: {field!r} is no pair of name and value"
        )
        name, value = field
        assert isinstance(name, bytes) and isinstance(value, bytes), f"{where}: {field!r} is not bytes"
        assert is_field(name, value), f"{where}: {name!r}: {value!r} would break the head"


def check_status(status: Any, where: str, least: int = 200) -> None:
    """A final response's status, or an interim one's too where `least` is 100."""
    is_status = isinstance(status, int) and not isinstance(status, bool) and least <= status <= 599
    assert is_status, f"{where}: {status!r} is no status of a final response"


def check_answer(answer: Answer) -> None:
    """Fails unless the answer can be sent as it is."""
    check_status(answer.status, "Answer")
    assert isinstance(answer.body, bytes), f"the body of an Answer must be bytes, not {answer.body!r}"
    check_fields(answer.headers, "Answer")
    assert isinstance(answer.reason, CloseReason), f"Answer: the reason {answer.reason!r} is no CloseReason"
    assert isinstance(answer.detail, str) and isinstance(answer.limit, str), (
        "Answer: detail and limit are texts"
    )
    names = {name.lower() for name, _ in answer.headers}
    framing = names & {b"content-length", b"transfer-encoding", b"connection"}
    assert not framing, f"Answer: {framing} are the server's to write"
    if answer.status == 401:  # RFC 9110 §15.5.2
        assert b"www-authenticate" in names, "an Answer with 401 must have WWW-Authenticate"


def check_client_error(error: ClientError) -> None:
    """Fails unless it can be answered with."""
    check_status(error.status, "ClientError", 400)
    assert isinstance(error.reason, str) and error.reason, "a ClientError must say why"
    assert isinstance(error.limit, str), f"ClientError: the limit {error.limit!r} is no text"
    check_answer(Answer(error.status, b"", error.headers))


def check_allow(allow: Allow) -> None:
    """Fails unless the node can be told its variables and headers."""
    for variable in allow.variables:
        assert isinstance(variable, tuple) and len(variable) == 2, f"Allow: {variable!r} is no pair"
        name, value = variable
        assert isinstance(name, bytes) and isinstance(value, bytes), f"Allow: {variable!r} is not bytes"
        assert _VARIABLE.fullmatch(name), f"Allow: {name!r} is no name of a variable"
        assert not set(value) & set(b"\r\n\0"), f"Allow: {name!r} has a line break or NUL: {value!r}"
    check_fields(getattr(allow, "headers", ()), "Allow")


def check_route(route: Route) -> None:
    """Fails unless the request can go there."""
    if route.nodes is not None:
        assert not isinstance(route.nodes, str), "Route: nodes is a list of names, not one text"
        assert all(isinstance(name, str) and name for name in route.nodes), f"Route: nodes {route.nodes!r}"
    for what, path in (("target", route.target), ("script_name", route.script_name)):
        assert path is None or isinstance(path, bytes), f"Route: {what} must be bytes, not {path!r}"
    if route.target is not None:
        is_target = route.target.startswith(b"/") and not set(route.target) & set(b" \t\r\n\0#")
        assert is_target or route.target == b"*", f"Route: {route.target!r} is no target"
    check_fields(route.set_headers, "Route")
    check_fields(route.add_headers, "Route")
    names = [name for name, _ in (*route.set_headers, *route.add_headers)] + list(route.remove_headers)
    for name in names:
        assert isinstance(name, bytes) and name == name.lower(), f"Route: {name!r} is not in lower case"


def check_decision(decision: object) -> None:
    """Fails unless `decision` is what `Filter.on_request` may return."""
    assert decision is None or isinstance(decision, Answer | Route), f"on_request returned {decision!r}"
    if isinstance(decision, Answer):
        check_answer(decision)
    elif isinstance(decision, Route):
        check_route(decision)


def check_verdict(verdict: object) -> None:
    """Fails unless `verdict` is what `RequestAuthenticator.authenticate` may return."""
    if isinstance(verdict, Answer):
        check_answer(verdict)
    else:
        assert isinstance(verdict, Allow), f"{verdict!r} is neither Allow nor Answer"
        check_allow(verdict)


def check_seconds(value: Any, where: str) -> None:
    """A time to wait: a number, not negative, finite."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    assert is_number and math.isfinite(value) and value >= 0, (
        f"{where} returned {value!r}, no number of seconds"
    )


def check_response_head(head: Any, before: ResponseHead) -> None:
    """What `Filter.on_response` may make of the head `before`."""
    assert isinstance(head, ResponseHead), f"on_response returned {head!r}"
    check_status(head.status, "on_response", 100)
    assert (head.status == 101) == (before.status == 101), (
        "on_response: a 101 stays one, and nothing becomes one"
    )
    assert isinstance(head.reason, bytes), f"on_response: the reason {head.reason!r} is not bytes"
    check_fields(head.headers, "on_response")


def check_node_event(event: Any) -> None:
    """What a message of a node may be decoded to."""
    assert isinstance(event, NODE_EVENTS), f"decode returned {event!r}, which is no event of a node"
    if isinstance(event, NodeHead):
        check_status(event.status, "decode", 100)
        assert isinstance(event.reason, bytes), f"decode: the reason {event.reason!r} is not bytes"
        assert not set(event.reason) & set(b"\r\n\0"), f"decode: the reason {event.reason!r} breaks the head"
        check_fields(event.headers, "decode")

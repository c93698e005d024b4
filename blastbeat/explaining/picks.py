"""What the filters and authenticators of a configuration say of a request, as far as they can be asked.

The built-in ones that only look at the request are made and asked. Any other could have effects, so that it
is only named.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, cast

from blastbeat.config.model import PluginRef, VirtualHostConfig
from blastbeat.errors import BlastBeatError, ConfigError
from blastbeat.events import Request
from blastbeat.explaining.explanation import Explanation, Pick
from blastbeat.interfaces import (
    Allow,
    Answer,
    Filter,
    RequestAuthenticator,
    RequestEncoder,
    RequestView,
    Route,
)
from blastbeat.registry import Registry
from blastbeat.request_changes import routed

BUILT_IN = "blastbeat.plugins."
SHOWN = ("REQUEST_URI", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING")
WITH_EFFECTS = frozenset({"limits"})
"""Built-in filters that remember what they were asked."""


def ask_filters(registry: Registry, policy: VirtualHostConfig, view: RequestView, found: Explanation) -> bool:
    """Adds each filter to `found`, changes the view's request as they do. True when one answers."""
    for ref in policy.filters:
        made = _make(registry, "filter", ref)
        if not isinstance(made, Filter) or not _is_pure(made, ref):
            _add(found.filters, ref, _unasked(made))
            continue
        verdict = made.on_request(view)
        if isinstance(verdict, Answer):
            _add(found.filters, ref, _describe(verdict))
            found.status, found.outcome = verdict.status, f"the filter {ref.name} answers; no node is asked"
            return True
        if isinstance(verdict, Route):
            before, view.request = view.request, routed(view.request, verdict)
            if verdict.nodes is not None:
                found.nodes = list(verdict.nodes)
            _add(found.filters, ref, _changes(before, view.request, verdict))
        else:
            _add(found.filters, ref, "lets it pass")
    return False


def ask_authenticators(
    registry: Registry, policy: VirtualHostConfig, view: RequestView, found: Explanation
) -> bool:
    """Adds each request authenticator to `found`. True when one refuses."""
    for ref in policy.request_authenticators:
        made = _make(registry, "request-authenticator", ref)
        if isinstance(made, str) or not _is_pure(made, ref):
            _add(found.request_authenticators, ref, _unasked(made))
        elif not view.request.remote_addr:
            _add(found.request_authenticators, ref, "asked for the client's address: --client tells it")
        else:
            verdict = _finish(cast(RequestAuthenticator, made).authenticate(view))
            if isinstance(verdict, Answer):
                _add(found.request_authenticators, ref, _describe(verdict))
                found.status, found.outcome = verdict.status, f"the authenticator {ref.name} refuses"
                return True
            _add(found.request_authenticators, ref, "agrees" if verdict is not None else _unasked(made))
    return False


def shown_to_node(registry: Registry, ref: PluginRef, request: Request) -> dict[str, str]:
    """How a built-in encoder shows the target. Raises ClientError(431) where the head does not fit."""
    made = _make(registry, "encoder", ref)
    if not type(made).__module__.startswith(BUILT_IN):
        return {"target": request.target.decode("latin-1")}
    body = cast(RequestEncoder, made).encode_request(request)
    if ref.name == "headers":
        return {"target": body.split(b" ", 2)[1].decode("latin-1")}
    variables = _read_variables(body)
    return {name: variables.get(name, "") for name in SHOWN}


def _read_variables(body: bytes) -> dict[str, str]:
    texts: list[str] = []
    at = 4
    while at < len(body):
        end = at + 2 + int.from_bytes(body[at : at + 2], "little")
        texts.append(body[at + 2 : end].decode("utf-8", "backslashreplace"))
        at = end
    return dict(zip(texts[::2], texts[1::2], strict=True))


def _make(registry: Registry, kind: str, ref: PluginRef) -> object:
    """The object, or why there is none, as a text."""
    try:
        return registry.make(kind, ref)
    except ConfigError as error:
        return "; ".join(problem.message for problem in error.problems)
    except BlastBeatError as error:
        return str(error)


def _is_pure(made: object, ref: PluginRef) -> bool:
    return type(made).__module__.startswith(BUILT_IN) and ref.name not in WITH_EFFECTS


def _unasked(made: object) -> str:
    if isinstance(made, str):
        return f"can't be made: {made}"
    return "not asked here; it could change or refuse the request"


def _finish(work: Coroutine[Any, Any, Allow | Answer]) -> Allow | Answer | None:
    """What it returns at once; None for one that would have to wait."""
    try:
        work.send(None)
    except StopIteration as done:
        verdict: Allow | Answer = done.value
        return verdict
    finally:
        work.close()
    return None


def _describe(answer: Answer) -> str:
    to = [value.decode("latin-1") for name, value in answer.headers if name.lower() == b"location"]
    return f"answers {answer.status}" + (f" to {to[0]}" if to else "")


def _changes(before: Request, after: Request, route: Route) -> str:
    said = []
    if before.target != after.target:
        said.append(f"the target becomes {after.target.decode('latin-1')}")
    names = sorted({name.decode() for name, _ in (*route.set_headers, *route.add_headers)})
    if names:
        said.append(f"sets {', '.join(names)}")
    if route.remove_headers:
        said.append(f"removes {', '.join(name.decode() for name in route.remove_headers)}")
    if route.nodes is not None:
        said.append(f"to node {' or '.join(route.nodes)}")
    return "; ".join(said) or "lets it pass"


def _add(picks: list[Pick], ref: PluginRef, says: str) -> None:
    picks.append(Pick(ref.name, dict(ref.options), says))

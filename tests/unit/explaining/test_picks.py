"""Filters and authenticators, asked where that has no effect and named where it could."""

from __future__ import annotations

from typing import Any

from blastbeat import hookimpl
from blastbeat.config.model import PluginRef, VirtualHostConfig
from blastbeat.explaining.explanation import Explanation
from blastbeat.explaining.picks import ask_authenticators, ask_filters, shown_to_node
from blastbeat.interfaces import Allow, Answer, Filter, Options, Register, RequestView
from blastbeat.plugin_manager import PluginManager
from blastbeat.registry import Registry
from blastbeat.testing import make_request, make_request_view


class Foreign(Filter):
    def on_request(self, view: RequestView) -> Answer:
        raise AssertionError("a third party's filter must not be asked")

    async def authenticate(self, view: RequestView) -> Allow:
        raise AssertionError("nor its authenticator")

    def encode_request(self, request: Any) -> bytes:
        raise AssertionError("nor its encoder")


class Plugin:
    @hookimpl
    def blastbeat_register_filters(self, register: Register) -> None:
        register("foreign", lambda options: Foreign())

    @hookimpl
    def blastbeat_register_request_authenticators(self, register: Register) -> None:
        def make(options: Options) -> Any:
            return Foreign()

        register("foreign", make)

    @hookimpl
    def blastbeat_register_encoders(self, register: Register) -> None:
        register("foreign", lambda options: Foreign())


def registry() -> Registry:
    manager = PluginManager(load=(), plugins=[Plugin()])
    manager.load()
    return manager.build_registry()


def asked(*filters: PluginRef, target: bytes = b"/old/x?q") -> tuple[Explanation, RequestView, bool]:
    found, view = Explanation("u", "GET", "/", ""), make_request_view(target=target)
    policy = VirtualHostConfig("a.test", filters=filters)
    return found, view, ask_filters(registry(), policy, view, found)


REWRITE = PluginRef("rewrite", {"path": "/old", "to": "/new{rest}"})


def test_filters_one_after_the_other() -> None:
    found, view, is_answered = asked(
        PluginRef("answer", {"path": "/other"}),
        REWRITE,
        PluginRef("headers", {"set": "X-A: 1", "remove": "X-B"}),
        PluginRef("answer", {"status": "410", "path": "/new"}),
        PluginRef("answer"),
    )
    assert is_answered and found.status == 410
    assert [pick.says for pick in found.filters] == [
        "lets it pass",
        "the target becomes /new/x?q",
        "sets x-a; removes x-b",
        "answers 410",
    ]
    assert view.request.target == b"/new/x?q"


def test_what_is_not_built_in_is_not_asked() -> None:
    found, _, is_answered = asked(PluginRef("foreign"), REWRITE)
    assert not is_answered
    assert found.filters[0].says == "not asked here; it could change or refuse the request"
    assert found.filters[1].says.startswith("the target becomes")


def test_what_cannot_be_made_says_why() -> None:
    found, _, is_answered = asked(PluginRef("nobodys"), PluginRef("redirect", {"to": "ftp://x"}))
    assert not is_answered
    assert found.filters[0].says.startswith("can't be made: there is no filter of this name")
    assert "neither a URL nor a path" in found.filters[1].says


def test_authenticators_of_others_are_only_named() -> None:
    found, view = Explanation("u", "GET", "/", ""), make_request_view()
    policy = VirtualHostConfig("a.test", request_authenticators=(PluginRef("foreign", {}),))
    assert not ask_authenticators(registry(), policy, view, found)
    assert [pick.says for pick in found.request_authenticators] == [
        "not asked here; it could change or refuse the request"
    ]


def test_what_a_node_is_shown() -> None:
    request = make_request(target=b"/api/a%20b?q", script_name=b"/api", path_info=None)
    assert shown_to_node(registry(), PluginRef("uwsgi"), request) == {
        "REQUEST_URI": "/api/a%20b?q",
        "SCRIPT_NAME": "/api",
        "PATH_INFO": "/a b",
        "QUERY_STRING": "q",
    }
    assert shown_to_node(registry(), PluginRef("headers"), request) == {"target": "/a%20b?q"}
    assert shown_to_node(registry(), PluginRef("foreign"), request) == {"target": "/api/a%20b?q"}

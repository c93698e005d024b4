"""An example for each hook of plugins. A test loads each of these classes as a plugin and calls it.
In a plugin that is a module the same functions stand without `self`.
"""

from __future__ import annotations

import logging
from collections import Counter

from blastbeat import hookimpl
from blastbeat.errors import NodeError, Problem
from blastbeat.events import NodeData
from blastbeat.interfaces import Allow, Answer, Filter
from blastbeat.validators import text, whole

log = logging.getLogger("example")


class RegisterOptions:
    @hookimpl
    def blastbeat_register_options(self, register):
        register({"text": text}, self.receive)  # [plugin.register-options] text = "hello"

    def receive(self, options):
        self.text = options.get("text", "hello")


class RegisterDrivers:
    @hookimpl
    def blastbeat_register_drivers(self, register):
        from blastbeat.plugins.http1_h11 import H11DriverFactory  # stands for a codec of your own

        register("mine", H11DriverFactory)


class RegisterWebsocketDrivers:
    @hookimpl
    def blastbeat_register_websocket_drivers(self, register):
        from blastbeat.plugins.websocket_wsproto import WsprotoDriverFactory  # stands for your own

        register("mine", WsprotoDriverFactory)


class RegisterEncoders:
    """Nodes send `shout`, clients get capitals."""

    def decode(self, body):
        if not body:
            raise NodeError("nothing to shout")
        return NodeData(bytes(body).upper())

    @hookimpl
    def blastbeat_register_encoders(self, register):
        register("shout", lambda options: self)


class RegisterSelectors:
    """selector = "last" """

    def select(self, candidates, request):
        return candidates[-1]

    @hookimpl
    def blastbeat_register_selectors(self, register):
        register("last", lambda options: RegisterSelectors())


class RegisterNodeAuthenticators:
    """node-authenticators = ["local"]"""

    def authenticate(self, candidate):
        return candidate.address in ("", "127.0.0.1")

    @hookimpl
    def blastbeat_register_node_authenticators(self, register):
        register("local", lambda options: RegisterNodeAuthenticators())


class Token:
    def __init__(self, token):
        self._token = token.encode()

    async def authenticate(self, view):
        if view.request.header(b"x-token") == self._token:
            return Allow([(b"REMOTE_USER", b"friend")])
        return Answer(403, b"no token\n")


class RegisterRequestAuthenticators:
    """request-authenticators = ["token token=secret"]"""

    @hookimpl
    def blastbeat_register_request_authenticators(self, register):
        register("token", lambda options: Token(options.get("token", "secret")), options={"token": text})


class Teapot(Filter):
    def __init__(self, status):
        self._status = status

    def on_request(self, view):
        return Answer(self._status, b"short and stout\n") if view.path == b"/teapot" else None


class RegisterFilters:
    """filters = ["teapot status=418"]"""

    @hookimpl
    def blastbeat_register_filters(self, register):
        register(
            "teapot", lambda options: Teapot(options.get("status", 418)), options={"status": whole(400, 499)}
        )


class RegisterCounters:
    """`view.count("register-counters.pots")` counts; the name begins with the plugin's."""

    @hookimpl
    def blastbeat_register_counters(self, register):
        register("register-counters.pots", "requests for a teapot")


class RegisterCommands:
    """$ blastbeat greet you"""

    @hookimpl
    def blastbeat_register_commands(self, register):
        register("greet", self.greet, summary="say hello")

    def greet(self, arguments):
        if not arguments:
            return 64
        self.greeted = " ".join(arguments)
        return 0


class ExamineConfig:
    """What `check` says, too."""

    @hookimpl
    def blastbeat_examine_config(self, config):
        if not config.virtualhosts:
            yield Problem("nobody will be served", "warning", section="blastbeat")


class Notices:
    """Puts aside what it is told; a thread of its own may look at it."""

    def __init__(self):
        self.seen = Counter()

    @hookimpl
    def blastbeat_server_started(self, view):
        log.info("serves %s", ", ".join(view.virtualhosts))

    @hookimpl
    def blastbeat_server_stopping(self, view):
        self.is_stopping = True

    @hookimpl
    def blastbeat_server_stopped(self, view):
        log.info("saw %d kinds of things", len(self.seen))

    @hookimpl
    def blastbeat_config_reloaded(self, view):
        self.hosts = set(view.virtualhosts)

    @hookimpl
    def blastbeat_logs_reopened(self, view):
        self.seen["reopened"] += 1

    @hookimpl
    def blastbeat_connection_opened(self, view):
        self.seen[view.listener] += 1

    @hookimpl
    def blastbeat_connection_closed(self, view):
        self.seen[view.listener] -= 1

    @hookimpl
    def blastbeat_session_opened(self, view):
        self.seen[view.node] += 1

    @hookimpl
    def blastbeat_session_upgraded(self, view):
        self.seen["websockets", view.virtualhost] += 1

    @hookimpl
    def blastbeat_session_retried(self, view):
        self.seen["retried", view.node] += 1

    @hookimpl
    def blastbeat_session_closed(self, view):
        self.seen[view.reason] += 1

    @hookimpl
    def blastbeat_exchange_closed(self, view):
        self.seen[view.status] += 1

    @hookimpl
    def blastbeat_node_up(self, view):
        log.info("%s is there: %s", view.identity, view.reason)

    @hookimpl
    def blastbeat_node_down(self, view):
        log.warning("%s is %s: %s", view.identity, view.state, view.reason)

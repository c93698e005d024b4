"""The markers and every hook a plugin may implement, each with its contract.

Plain module functions: pluggy reads their signatures, nobody ever calls them. Knows no plugin and no manager.
A plugin marks its functions with `from blastbeat import hookimpl`; the reference page is made from these
docstrings.

Common to all: a hook is an ordinary function, never `async def`, a generator or a pluggy wrapper. It may
leave out arguments it does not need. Registration hooks run while the server starts, where blocking is fine;
notices run on the event loop's thread, where whatever blocks stops every client. Factories are called at the
start, and when a reload changes a virtualhost, for what that picks: then on the event loop's thread, too.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from blastbeat.errors import Problem
from blastbeat.interfaces import (
    ConfigView,
    ConnectionView,
    ExchangeView,
    NodeView,
    Register,
    RegisterCommand,
    RegisterCounter,
    RegisterOptions,
    ServerView,
    SessionView,
)

PROJECT = "blastbeat"
ENTRY_POINT_GROUP = "blastbeat"
PREFIX = "blastbeat_"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


# ---------------------------------------------------------------- registration


@hookspec
def blastbeat_register_options(register: RegisterOptions) -> None:
    """Declare the keys of the plugin's own table `[plugin.<name>]`, and what else it adds to the
    configuration: tables `[<kind>.NAME]` and keys of virtualhosts.

    Called: once, before every other hook of this plugin. Call `register(keys, receive)` at most once: `keys`
    maps each key to a validator, `receive` gets the validated values before the registration hooks run.
    `register.tables(kind, keys, receive)` declares a kind of tables: `receive` gets all of them by name
    before the server starts, and again at each reload, in the step that puts the new configuration into
    force; until then the old ones hold, so a factory does not look at them.
    `register.virtualhost_keys(keys, filters=…)` declares keys of `[vhost.*]`, with a default in
    `[blastbeat]`, that pick objects which the plugin registers. Validators of both run in another thread
    when a server reads its configuration again.
    Blocking: it may, at the start; a `receive` that a reload calls makes all clients wait.
    Failure: a table with a key that was not declared, or with a value its validator refuses, is an error of
    the configuration that names plugin and key; so is a table for a plugin that declares none. A kind or key
    that is BlastBeat's own or another plugin's keeps the server from starting. A `receive` of tables that
    raises keeps it from starting, or has the reload refused.
    """


@hookspec
def blastbeat_register_drivers(register: Register) -> None:
    """Offer codecs of client protocols; `driver` in `[blastbeat]` picks one by name.

    Called: once per start. The factory is called once per server and returns a `DriverFactory`.
    Blocking: it may, also in the factory at the start; in one that a reload calls all clients wait.
    Failure: an exception here, or in the factory, keeps the server from starting and names the plugin.
    """


@hookspec
def blastbeat_register_websocket_drivers(register: Register) -> None:
    """Offer codecs of upgraded connections; `websocket-driver` in `[blastbeat]` picks one by name.

    Called: once per start. The factory is called once per server and returns a `WebSocketDriverFactory`.
    Blocking: it may, also in the factory at the start; in one that a reload calls all clients wait.
    Failure: an exception here, or in the factory, keeps the server from starting and names the plugin.
    """


@hookspec
def blastbeat_register_encoders(register: Register) -> None:
    """Own message types: the name registered is the type, as nodes see it.

    Called: once per start. The factory is called once per server and returns a `RequestEncoder` (may be
    picked with `request-encoder`), a `MessageDecoder` (reads what nodes send under this type), or both.
    Blocking: it may, also in the factory at the start; in one that a reload calls all clients wait.
    Failure: an exception at start keeps the server from starting. Later, an encoder that raises anything
    but ClientError or NodeError ends the session with `plugin-error`.
    """


@hookspec
def blastbeat_register_selectors(register: Register) -> None:
    """Offer ways to pick an instance for a new session; `selector` picks one by name.

    Called: once per start. The factory is called once per virtualhost or route that uses the name, so a
    `Selector` may keep state of its own; one that has `expect_nodes` is handed what stands behind the nodes'
    names, one that has `expect_clock` the server's clock.
    Blocking: it may, also in the factory at the start; in one that a reload calls all clients wait.
    Failure: an exception at start keeps the server from starting. Later, a selector that raises, or
    returns an instance it was not offered, costs that one request a 503 and is logged.
    """


@hookspec
def blastbeat_register_node_authenticators(register: Register) -> None:
    """Offer judges of nodes; all that `node-authenticators` lists must agree.

    Called: once per start. The factory is called once per virtualhost or route that uses the name and
    returns a `NodeAuthenticator`; a route that names none of its own has its virtualhost's.
    Blocking: it may, also in the factory at the start; in one that a reload calls all clients wait.
    Failure: an exception at start keeps the server from starting. Later, one that raises has denied.
    """


@hookspec
def blastbeat_register_request_authenticators(register: Register) -> None:
    """Offer judges of requests; all that `request-authenticators` lists must allow.

    Called: once per start. The factory is called once per virtualhost or route that uses the name and
    returns a `RequestAuthenticator`, the only object of a plugin that may await; a route that names none of
    its own has its virtualhost's. Its `aclose`, where it has one, is awaited when nobody asks it any more.
    Blocking: it may, also in the factory at the start; in one that a reload calls all clients wait.
    Failure: an exception at start keeps the server from starting. Later, one that raises has denied.
    """


@hookspec
def blastbeat_register_filters(register: Register) -> None:
    """Offer middleware; `filters` picks and orders it.

    Called: once per start. The factory is called once per virtualhost or route that uses the name and
    returns a `Filter` (subclass `blastbeat.interfaces.Filter`); a route that names none of its own has its
    virtualhost's.
    Blocking: it may, also in the factory at the start; in one that a reload calls all clients wait.
    Failure: an exception at start keeps the server from starting. Later, a filter that raises in
    `on_request` costs that request a 500 with the reason `plugin-error`; elsewhere it is logged and passed
    over.
    """


@hookspec
def blastbeat_register_counters(register: RegisterCounter) -> None:
    """Declare counters: `register("policy.requests", "requests over a plan's rate")`; a name begins with the
    plugin's. `view.count(name)` of a request adds one. They are in `blastbeat status`, the status page and
    the metrics beside the server's own.

    Called: once per start, before factories are called.
    Blocking: it may.
    Failure: an exception, a name that does not begin so
    or is taken, or more than 200 keep the server from starting and name the plugin.
    """


@hookspec
def blastbeat_register_commands(register: RegisterCommand) -> None:
    """Add subcommands: `register(name, run, summary="…")` makes `blastbeat <name>`.

    Called: once, by the command line only. `run(arguments)` returns the exit code.
    Blocking: it may, and so may `run`.
    Failure: an exception, or a name another plugin took, costs the plugin its command and no other.
    """


@hookspec
def blastbeat_examine_config(config: ConfigView) -> Iterable[Problem]:
    """Say what is wrong with a configuration: virtualhosts and tables with their places, before they are in
    force. Return a list, or be a generator; `config.virtualhosts[0].problem("…", key="…")` makes a problem.

    Called: by `check`; before the server starts and before tables are received; and at each reload before
    anything is changed, then in another thread. Look at `config` only: something else may be in force.
    Blocking: it may at the start and in `check`; at a reload all clients wait.
    Failure: an error found, or an exception, keeps the server from starting, or has the reload refused.
    """
    return ()


# ---------------------------------------------------------------- the server's life


@hookspec
def blastbeat_server_started(view: ServerView) -> None:
    """Everything is bound and the event loop runs. The place to start threads and open files.

    Called: once per server.
    Blocking: it must not, clients are served from now on.
    Failure: logged with the plugin's name; the server goes on.
    """


@hookspec
def blastbeat_server_stopping(view: ServerView) -> None:
    """The server accepts no more and finishes what runs: further exchanges may still close after this.

    Called: once per server that was started.
    Blocking: it must not.
    Failure: logged; stopping goes on.
    """


@hookspec
def blastbeat_server_stopped(view: ServerView) -> None:
    """All sessions and sockets are closed; no notice follows. The place to flush, join and close.

    Called: once per server that was started.
    Blocking: it may shortly, no client is left to wait.
    Failure: logged.
    """


@hookspec
def blastbeat_config_reloaded(view: ServerView) -> None:
    """The configuration was read again and has taken effect. The place to read files again.

    Called: once per reload that was not refused, also where nothing is different.
    Blocking: it must not.
    Failure: logged.
    """


@hookspec
def blastbeat_logs_reopened(view: ServerView) -> None:
    """Log files were moved away: open them anew.

    Called: once per signal.
    Blocking: no longer than opening a file takes.
    Failure: logged.
    """


# ---------------------------------------------------------------- connections, sessions, exchanges, nodes


@hookspec
def blastbeat_connection_opened(view: ConnectionView) -> None:
    """A client connection was accepted.

    Called: once per connection.
    Blocking: it must not.
    Failure: logged.
    """


@hookspec
def blastbeat_connection_closed(view: ConnectionView) -> None:
    """A client connection is closed.

    Called: exactly once for each `connection_opened`.
    Blocking: it must not.
    Failure: logged.
    """


@hookspec
def blastbeat_session_opened(view: SessionView) -> None:
    """A session was pinned to an instance, which has taken its first request head.

    Called: once per session.
    Blocking: it must not.
    Failure: logged.
    """


@hookspec
def blastbeat_session_upgraded(view: SessionView) -> None:
    """A session became a WebSocket.

    Called: at most once per session.
    Blocking: it must not.
    Failure: logged.
    """


@hookspec
def blastbeat_session_retried(view: SessionView) -> None:
    """A session ended for its instance so that its request goes once more to another one, in a new session.

    Called: once per hop, before `session_closed` of the session that ends.
    Blocking: it must not.
    Failure: logged.
    """


@hookspec
def blastbeat_session_closed(view: SessionView) -> None:
    """A session ended, `view.reason` says why.

    Called: exactly once for each `session_opened`.
    Blocking: it must not.
    Failure: logged.
    """


@hookspec
def blastbeat_exchange_closed(view: ExchangeView) -> None:
    """A request is over, whatever became of it; the view holds its figures. The busiest notice: do no more
    here than put the view aside.

    Called: once per request head read, also for those the server answered itself.
    Blocking: it must not.
    Failure: logged.
    """


@hookspec
def blastbeat_node_up(view: NodeView) -> None:
    """An instance became available.

    Called: whenever one does, also one that was before.
    Blocking: it must not.
    Failure: logged.
    """


@hookspec
def blastbeat_node_down(view: NodeView) -> None:
    """An instance is available no more: `view.state` is `silent`, `gone` or `drained`.

    Called: whenever it comes into one of these states; it may be silent first, then gone.
    Blocking: it must not.
    Failure: logged.
    """

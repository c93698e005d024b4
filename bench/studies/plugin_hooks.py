"""What hooks cost a request: plugins that listen to `exchange_closed`, called as the engine calls them.

    python -m bench plugin-hooks [--plugins 3] [--calls 200000] [--rounds 7] [--at-most 3.0]

In one process, without sockets: as at the end of each request a view is made of an exchange, and the notice
is told by a lifecycle that the plugin manager built from plugins that do nothing. Printed is what that takes
above a server where nobody listens, with the view, which is made once for all; the best of the rounds, for
whatever else the machine does only ever adds. Ends with 1 above `--at-most` microseconds.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable, Sequence

from blastbeat import hookimpl
from blastbeat.events import RequestHead
from blastbeat.exchange import Exchange
from blastbeat.interfaces import ExchangeView
from blastbeat.lifecycle import Lifecycle
from blastbeat.plugin_manager import PluginManager
from blastbeat.plugin_profile import PluginProfile
from blastbeat.testing import make_connection_view, make_request


class Listener:
    """Listens, and does nothing."""

    @hookimpl
    def blastbeat_exchange_closed(self, view: ExchangeView) -> None:
        pass


def lifecycle_of(plugins: int, profile: PluginProfile | None = None) -> Lifecycle:
    """As a server has it that was given so many plugins, and logs no access."""
    given = [type(f"Listener{number}", (Listener,), {})() for number in range(plugins)]
    manager = PluginManager(load=(), disabled=("access-log",), plugins=given)
    manager.load()
    return manager.lifecycle(profile)


def measure(lifecycle: Lifecycle, calls: int, rounds: int) -> float:
    """Microseconds for one request that is over, as in `Dispatcher.exchange_over`: the best round."""
    headers = [(b"host", b"bench"), (b"user-agent", b"bench/1.0"), (b"accept", b"*/*")]
    head = RequestHead(0, b"GET", b"/", b"/", b"1.1", b"bench", headers)
    exchange, connection = Exchange(head, 1.0, 1_700_000_000.0), make_connection_view()
    exchange.request = make_request()

    def run() -> None:
        for _ in range(calls):
            notice = lifecycle.exchange_closed
            if notice is not None:
                notice(exchange.figures(connection, 2.0))

    return best(run, rounds) / calls * 1e6


def cost(plugins: int, calls: int, rounds: int) -> float:
    """Microseconds that so many plugins add to a request."""
    nothing = measure(lifecycle_of(0), calls, rounds)
    return measure(lifecycle_of(plugins), calls, rounds) - nothing


def best(run: Callable[[], None], rounds: int) -> float:
    """Seconds of CPU."""
    found = []
    for _ in range(rounds):
        began = time.process_time()
        run()
        found.append(time.process_time() - began)
    return min(found)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--plugins", type=int, default=3, help="that listen (default %(default)s)")
    parser.add_argument("--calls", type=int, default=200_000, help="in a round (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="default %(default)s")
    parser.add_argument("--at-most", type=float, metavar="MICROSECONDS", help="fail above (for all plugins)")
    options = parser.parse_args(arguments)
    gc.disable()
    nothing = measure(lifecycle_of(0), options.calls, options.rounds)
    cost = 0.0
    for plugins in sorted({1, options.plugins}):
        cost = measure(lifecycle_of(plugins), options.calls, options.rounds) - nothing
        print(f"{plugins} plugin{'s' if plugins > 1 else ''} on exchange_closed: {cost:.2f} µs per request")
    profiled = measure(
        lifecycle_of(options.plugins, PluginProfile(time.perf_counter)), options.calls, options.rounds
    )
    each = (profiled - nothing - cost) / options.plugins
    print(f"with --profile-plugins {profiled - nothing:.2f} µs, {each:.2f} µs more for each call")
    if options.at_most is not None and cost > options.at_most:
        print(f"that is above {options.at_most} µs")
        return 1
    return 0

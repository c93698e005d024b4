"""What `serve --profile-plugins` costs while it is on: the plain GET, with and without it.

    python bench/profile_cost.py [--uvloop] [--turns 5] [--seconds 5]

As `plain_get.py` measures it, but both servers are BlastBeat. Without the option nothing is wrapped, so there
is nothing to measure but this.
"""

from __future__ import annotations

from contextlib import ExitStack

from plain_get import read_options, report, take_turns
from targets import Pins, blastbeat, choose_pins, node_command


def main() -> int:
    options = read_options(__doc__)
    pins = Pins() if options.no_pin else choose_pins()
    node = node_command(options.node)
    with ExitStack() as stack:
        targets = [
            stack.enter_context(blastbeat(node, pins, uvloop=options.uvloop, options=extra))
            for extra in (["--profile-plugins"], [])
        ]
        report(take_turns(targets, options, pins))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

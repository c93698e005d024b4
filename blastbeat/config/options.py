"""The table of all options, by section.

Only joins the declarations; whoever needs to know which keys exist asks here.
"""

from __future__ import annotations

from collections.abc import Mapping

from blastbeat.config.option import Option
from blastbeat.config.route_options import OWN_OPTIONS_OF_ROUTES, ROUTING_OPTIONS
from blastbeat.config.server_options import PLUGINS_OPTIONS, SERVER_OPTIONS
from blastbeat.config.virtualhost_options import INHERITED_OPTIONS, OWN_OPTIONS


def _by_name(*groups: tuple[Option, ...]) -> Mapping[str, Option]:
    return {option.name: option for group in groups for option in group}


SERVER_KEYS = _by_name(SERVER_OPTIONS, INHERITED_OPTIONS)
VIRTUALHOST_KEYS = _by_name(OWN_OPTIONS, INHERITED_OPTIONS)
ROUTE_KEYS = _by_name(ROUTING_OPTIONS, OWN_OPTIONS_OF_ROUTES, INHERITED_OPTIONS)
PLUGINS_KEYS = _by_name(PLUGINS_OPTIONS)

"""The version of what plugins build on, compared when one is loaded; and what of it is deprecated, told to
whoever runs the plugin.

Knows no plugin and no pluggy.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from blastbeat import API_VERSION, __version__
from blastbeat.errors import PluginError

ATTRIBUTE = "blastbeat_api"
"""What a plugin says the version in that it was written for, e.g. ``blastbeat_api = (1, 0)``."""

PUBLIC_MODULES = (
    "blastbeat",
    "blastbeat.buckets",
    "blastbeat.errors",
    "blastbeat.events",
    "blastbeat.headers",
    "blastbeat.interfaces",
    "blastbeat.log_text",
    "blastbeat.messages",
    "blastbeat.networks",
    "blastbeat.paths",
    "blastbeat.request_keys",
    "blastbeat.validators",
    "blastbeat.views",
)
"""What plugins may import, and what the version is of. Their tests may import `blastbeat.testing`, too."""

Version = tuple[int, int]


class ApiDeprecation(DeprecationWarning):
    """A hook, or an argument of one, that goes with the next major version of the plugin API.

    For `warn_on_impl` and `warn_on_impl_args` of a hook specification. `what`: ``blastbeat_hook`` or
    ``blastbeat_hook(argument)``; `since`: the version that deprecated it; `instead`: what to write now, in
    words. `value` makes an argument's value out of the one argument that stays; without it that one is handed
    over under the old name, too.
    """

    def __init__(
        self,
        what: str,
        *,
        since: Version,
        instead: str,
        value: Callable[[Any], object] = lambda argument: argument,
    ) -> None:
        goes = f"goes with API {since[0] + 1}.0"
        super().__init__(f"{what} is deprecated since API {say(since)} and {goes}: {instead}")
        self.what = what
        self.value = value


def say(version: Version) -> str:
    """As people write it: ``1.0``."""
    return f"{version[0]}.{version[1]}"


def read_api(plugin: object, name: str, ours: Version = API_VERSION) -> str:
    """The API version that `plugin` says, as text; empty where it says none. Raises PluginError for one that
    does not go together with `ours`, and for what is no version."""
    said = getattr(plugin, ATTRIBUTE, None)
    if said is None:
        return ""
    if not (isinstance(said, tuple) and len(said) == 2 and all(type(part) is int for part in said)):
        raise PluginError(
            name, f"{ATTRIBUTE} = {said!r}: expected two whole numbers, such as {API_VERSION!r}"
        )
    if said[0] != ours[0]:
        wanted = f"a release of the plugin for API {ours[0]}, or a BlastBeat with API {said[0]}"
    elif said[1] > ours[1]:
        wanted = f"a BlastBeat with API {say(said)} or later, or an older release of the plugin"
    else:
        return say(said)
    raise PluginError(
        name,
        f"is written for plugin API {say(said)}, BlastBeat {__version__} has {say(ours)}; install {wanted}",
    )


def explain_import(error: BaseException) -> str:
    """A hint for a plugin that imports what this BlastBeat does not have, and so never gets to say its
    version; else empty."""
    if isinstance(error, ImportError) and str(error.name or "").partition(".")[0] == "blastbeat":
        return (
            f"; BlastBeat {__version__} has plugin API {say(API_VERSION)}: is the plugin written for another?"
        )
    return ""


def arguments_of(hook: Callable[..., object]) -> dict[str, ApiDeprecation | None]:
    """The arguments of a hook specification: the one that stays, first, and those that are deprecated."""
    options: Mapping[str, Any] = getattr(hook, "blastbeat_spec", None) or {}
    deprecated = options.get("warn_on_impl_args") or {}
    names = sorted(inspect.signature(hook).parameters, key=lambda name: name in deprecated)
    return {name: deprecated.get(name) for name in names}


def values_of(arguments: Mapping[str, ApiDeprecation | None], value: object) -> dict[str, object]:
    """What a hook is called with: `value` under the name that stays, and under each deprecated one what it is
    made into there."""
    return {
        name: value if deprecation is None else deprecation.value(value)
        for name, deprecation in arguments.items()
    }


def listener_of(
    function: Callable[..., Any], names: Sequence[str], arguments: Mapping[str, ApiDeprecation | None]
) -> Callable[[Any], Any]:
    """A hook's function, to be called with the view alone: it may leave its argument out, or take a
    deprecated one. `names` are those it takes."""
    taken = {name: arguments[name] for name in names}
    if list(taken.values()) == [None]:
        return function

    def call(view: object) -> Any:
        return function(**values_of(taken, view))

    return call


def deprecations_in(register: Callable[[], object]) -> list[str]:
    """Runs `register`, which has pluggy look at a plugin, and returns what pluggy warns of: as warnings of
    Python nobody would see them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        register()
    return [
        f"{warning.filename}:{warning.lineno}: {warning.message}"
        for warning in caught
        if isinstance(warning.message, ApiDeprecation)
    ]

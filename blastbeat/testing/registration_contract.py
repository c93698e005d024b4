"""What each plugin as a whole must keep, whatever it registers, as a class to subclass with pytest."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from hypothesis import given
from hypothesis import strategies as st

from blastbeat import hookspecs
from blastbeat.config.model import PluginRef
from blastbeat.errors import ConfigError
from blastbeat.hookspecs import PREFIX
from blastbeat.interfaces import Options, Validator
from blastbeat.plugin_manager import PluginManager
from blastbeat.plugin_sources import Named, built_ins
from blastbeat.registry import Registration, Registry
from blastbeat.testing.import_probe import probe
from blastbeat.testing.inherited import inherited
from blastbeat.testing.loading import load_plugin, name_of
from blastbeat.testing.strategies import option_values

_HOOKS = frozenset(name for name in vars(hookspecs) if name.startswith(PREFIX))
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MESSAGE_TYPE = re.compile(r"[!-9;-~]{1,32}")  # protocol.md §1; a colon ends a route

GARBAGE: tuple[Any, ...] = (
    *(
        "",
        " ",
        "\0",
        "a\nb",
        "\ud800",
        "\xff",
        "-1",
        "0",
        "1e9",
        "nan",
        "9" * 5000,
        "yes",
        "=",
        "%s",
        "../..",
    ),
    *(-1, 0, 1, 1 << 70, 0.5, float("nan"), float("inf"), True, False, [], {}, [[]], [{}], [""], [1, "a"]),
    *({"": ""}, {"a": {"b": []}}, ["a"] * 1000, "x" * 100_000),
)
"""Values that have brought down validators: whatever TOML has, and texts as the ini notation has them."""


class RegistrationContract:
    """Say in `plugin` which one (a module, an object, a class, or a text as its entry point has it), in
    `plugin_name` the name of its entry point.

    `options` are the least that something it registers needs, by kind and name: ``{("filter", "tag"):
    {"word": "x"}}``; `table` is what its own table must say at least; `replaces` names built-ins whose place
    it takes on purpose, by kind and name, `shares` what it makes one object of for all virtualhosts.
    """

    plugin: Any = None
    plugin_name: ClassVar[str] = ""
    options: Mapping[tuple[str, str], Options] = {}
    table: Mapping[str, Any] | None = None
    replaces: Collection[tuple[str, str]] = ()
    shares: Collection[tuple[str, str]] = ()

    # ------------------------------------------------------------ loading

    def test_importing_it_does_nothing_else(self) -> None:
        """The command line imports every installed plugin, for `check` and `plugins` too."""
        loaded = self.load()
        module = getattr(loaded, "__name__", None) or type(loaded).__module__
        wrong = probe(module)
        assert not wrong, wrong

    def test_it_loads_alone(self) -> None:
        self.manager(alone=True)

    def test_it_loads_beside_all_built_in_plugins(self) -> None:
        registry = self.manager().build_registry()
        built_in = _built_in_names()
        for each in self.registrations():
            assert registry.owner(each.kind, each.name) == self.name
            assert self._is_built_in or (each.kind, each.name) not in built_in - set(self.replaces), (
                f"it takes the place of the built-in {each.kind} {each.name!r}; meant? see `replaces`"
            )

    def test_it_loads_again(self) -> None:
        """Each server of a process has a manager of its own; nothing is left over from the first."""
        kinds = [(each.kind, each.name) for each in self.registrations()]
        assert [(each.kind, each.name) for each in self.registrations()] == kinds

    def test_it_has_a_hook(self) -> None:
        assert self.hooks(), "it implements no hook, so it does nothing; are they marked with @hookimpl?"

    def test_hooks_are_spelled_right(self) -> None:
        """Loading refuses a marked one that there is none of; this finds what was meant to be one."""
        loaded = self.load()
        for name in dir(loaded):
            meant = name.startswith(("blast_beat_", "blastbeats_")) or f"{PREFIX}{name}" in _HOOKS
            assert not (meant and inspect.isroutine(getattr(loaded, name))), (
                f"{name}() looks like a hook, and is none: hooks begin with {PREFIX}"
            )

    # ------------------------------------------------------------ names

    def test_names_are_well_formed(self) -> None:
        assert not self.plugin_name or _NAME.fullmatch(self.plugin_name), (
            f"{self.plugin_name!r}: write it my-plugin"
        )
        for each in self.registrations():
            if each.kind == "encoder":
                assert _MESSAGE_TYPE.fullmatch(each.name), (
                    f"{each.name!r} is no message type (protocol.md §1)"
                )
            else:
                assert _NAME.fullmatch(each.name), f"the {each.kind} {each.name!r}: write it my-name"

    def test_names_of_options_are_well_formed(self) -> None:
        for where, options in self.validators().items():
            for option, validator in options.items():
                assert isinstance(option, str) and _NAME.fullmatch(option), (
                    f"{where}: {option!r}: write it my-option"
                )
                assert callable(validator), f"{where}: the validator of {option!r} can't be called"

    # ------------------------------------------------------------ options

    def test_validators_refuse_garbage_with_value_error(self) -> None:
        for where, options in self.validators().items():
            for option, validator in options.items():
                for value in GARBAGE:
                    self.check_validator(f"{where}: {option}", validator, value)

    @inherited
    @given(data=st.data())
    def test_validators_refuse_anything_with_value_error(self, data: st.DataObject) -> None:
        value = data.draw(option_values)
        for where, options in self.validators().items():
            for option, validator in options.items():
                self.check_validator(f"{where}: {option}", validator, value)

    def test_a_number_is_taken_as_text_too(self) -> None:
        """The ini notation has only texts."""
        for where, options in self.validators().items():
            for option, validator in options.items():
                for number in (0, 1, 2, 5, 10, 100, 1000, 65536):
                    try:
                        expected = validator(number)
                    except ValueError:
                        continue
                    assert validator(str(number)) == expected, (
                        f"{where}: {option}: takes {number}, not '{number}'"
                    )

    def test_what_it_registers_can_be_made(self) -> None:
        """With its least `options`; without them it says what is missing."""
        registry = self.registry()
        for each in self.registrations():
            wanted = self.options.get((each.kind, each.name))
            context: Any = (
                contextlib.nullcontext() if wanted is not None else contextlib.suppress(ConfigError)
            )
            with context:
                registry.make(each.kind, PluginRef(each.name, wanted or {}))

    def test_each_is_made_anew(self) -> None:
        """What one virtualhost has is not another's: a state is shared on purpose or not at all."""
        registry = self.registry()
        for each in self.registrations():
            ref = PluginRef(each.name, self.options.get((each.kind, each.name), {}))
            with contextlib.suppress(ConfigError):
                one, other = registry.make(each.kind, ref), registry.make(each.kind, ref)
                assert one is not other or not _has_state(one) or (each.kind, each.name) in self.shares, (
                    f"the {each.kind} {each.name!r} is one object with a state for all; meant? see `shares`"
                )

    def test_an_unknown_option_is_refused(self) -> None:
        registry = self.registry()
        for each in self.registrations():
            given_options = self.options.get((each.kind, each.name), {})
            ref = PluginRef(each.name, {**given_options, "no-such-option": "x"})
            problems = registry.examine(each.kind, ref)
            assert any("unknown option" in problem.message for problem in problems)

    # ------------------------------------------------------------ how it is loaded

    @property
    def name(self) -> str:
        """The plugin's name."""
        return self.plugin_name or name_of(self.load())

    def load(self) -> object:
        """The plugin, as its entry point would load it."""
        assert self.plugin is not None, "say in `plugin` which one"
        return load_plugin(self.plugin)

    def manager(self, *, alone: bool = False) -> PluginManager:
        """A new manager with this plugin, and the built-in ones unless it is `alone`; a built-in of its name
        is it itself."""
        found = PluginManager(
            load=(),
            disabled=[source.name for source in built_ins() if alone and source.name != self.name],
            plugins=[] if self._is_built_in else [Named(self.name, self.load())],
            options={self.name: self.table} if self.table else {},
        )
        found.load()
        return found

    def registry(self) -> Registry:
        """What it registers, and nothing else."""
        return self.manager(alone=True).build_registry()

    def registrations(self) -> list[Registration]:
        """What it hands over, with kinds and names."""
        return self.registry().registrations()

    def hooks(self) -> tuple[str, ...]:
        """The hooks that it implements, without their prefix."""
        return next(each.hooks for each in self.manager(alone=True).describe() if each.name == self.name)

    def validators(self) -> dict[str, Mapping[str, Validator]]:
        """The validators of all options, keys and tables, by what takes them."""
        found = {f"{each.kind} {each.name}": each.options for each in self.registrations()}
        declare = getattr(self.load(), f"{PREFIX}register_options", None)
        if declare is not None:
            declared = _Declared()
            declare(declared)
            found |= declared.keys
        return found

    @property
    def _is_built_in(self) -> bool:
        return self.name in {source.name for source in built_ins()}

    def check_validator(self, where: str, validator: Validator, value: Any) -> None:
        """Fails unless it takes the value or raises ValueError with a message, and does so again."""
        outcomes = []
        for _ in range(2):
            try:
                outcomes.append((True, validator(value)))
            except ValueError as error:
                assert str(error), f"{where}: refuses {value!r} without a word"
                outcomes.append((False, str(error)))
            except Exception as error:
                shown = repr(value)[:80]
                raise AssertionError(
                    f"{where}: {type(error).__name__} for {shown}, not ValueError: {error}"
                ) from error
        assert outcomes[0][0] == outcomes[1][0], (
            f"{where}: {value!r} is taken at one time and refused at another"
        )


class _Declared:
    """What `blastbeat_register_options` is handed: notes the keys, and hands out no values."""

    def __init__(self) -> None:
        self.keys: dict[str, Mapping[str, Validator]] = {}

    def __call__(self, keys: Mapping[str, Validator], receive: object) -> None:
        self.keys["its own table"] = keys

    def tables(self, kind: str, keys: Mapping[str, Validator], receive: object) -> None:
        self.keys[f"[{kind}.*]"] = keys

    def virtualhost_keys(self, keys: Mapping[str, Validator], **objects: object) -> None:
        self.keys["[vhost.*]"] = keys


def _has_state(made: object) -> bool:
    slots = any(getattr(base, "__slots__", ()) for base in type(made).__mro__)
    return bool(slots or getattr(made, "__dict__", None))


def _built_in_names() -> set[tuple[str, str]]:
    manager = PluginManager(load=())
    manager.load()
    return {(each.kind, each.name) for each in manager.build_registry().registrations()}

"""Tests of `blastbeat.testing.registration_contract`: a good plugin passes, and each mistake is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from blastbeat import hookimpl, validators
from blastbeat.errors import ConfigError, Problem
from blastbeat.interfaces import Filter, Options, Register, RegisterOptions
from blastbeat.testing import RegistrationContract
from tests.helpers.contract_runs import assert_fails, failures_of


class Tag(Filter):
    def __init__(self, options: Options) -> None:
        self.word = options.get("word", "")


class Good:
    """A filter with an option, and a table of its own."""

    @hookimpl
    def blastbeat_register_options(self, register: RegisterOptions) -> None:
        register({"most": validators.whole(1, 10)}, lambda options: None)

    @hookimpl
    def blastbeat_register_filters(self, register: Register) -> None:
        register("tag", Tag, options={"word": validators.text, "most": validators.whole(0, 1 << 20)})


def registers(
    name: str = "tag", factory: Callable[[Options], object] = Tag, **options: Callable[[Any], Any]
) -> type:
    """A plugin with one filter."""

    class Plugin:
        @hookimpl
        def blastbeat_register_filters(self, register: Register) -> None:
            register(name, factory, options={key.replace("__", "-"): each for key, each in options.items()})

    return Plugin


def typed(value: Any) -> Any:
    """Takes a number, and no text of one."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("a number, please")
    return value


def silent(value: Any) -> Any:
    raise ValueError


CALLS: list[object] = []


def moody(value: Any) -> Any:
    CALLS.append(value)
    if len(CALLS) % 2:
        raise ValueError("not now")
    return value


def needs_a_word(options: Options) -> Filter:
    if "word" not in options:
        raise ConfigError([Problem("say which word")])
    return Tag(options)


class NoHook:
    def register_filters(self, register: Register) -> None: ...


class Misnamed:
    @hookimpl
    def blastbeat_register_filters(self, register: Register) -> None: ...

    def register_selectors(self, register: Register) -> None: ...


class Twice:
    @hookimpl
    def blastbeat_register_encoders(self, register: Register) -> None:
        register("my:type", lambda options: Tag(options))


class TakesAPlace:
    @hookimpl
    def blastbeat_register_filters(self, register: Register) -> None:
        register("limits", Tag)


SHARED = Tag({})


def contract(plugin: object, **changes: Any) -> type[RegistrationContract]:
    return type("Contract", (RegistrationContract,), {"plugin": plugin, "plugin_name": "tag", **changes})


def test_a_good_one_passes() -> None:
    assert failures_of(contract(Good)) == {}


def test_one_whose_options_are_needed_passes() -> None:
    plugin = registers(factory=needs_a_word, word=validators.text)
    assert failures_of(contract(plugin), only="test_what_it_registers_can_be_made") == {}
    needed = {("filter", "tag"): {"word": "x"}}
    assert failures_of(contract(plugin, options=needed)) == {}


@pytest.mark.parametrize(
    ("plugin", "test", "saying"),
    [
        (registers("My Tag"), "test_names_are_well_formed", "write it my-name"),
        (Twice, "test_names_are_well_formed", "no message type"),
        (registers(my_word=str), "test_names_of_options", "write it my-option"),
        (registers(word=lambda value: value.strip()), "test_validators_refuse_garbage", "AttributeError"),
        (registers(word=lambda value: {"a": 1}[value]), "test_validators_refuse_garbage", "KeyError"),
        (registers(word=lambda value: 1 / value), "test_validators_refuse_anything", ""),
        (registers(word=silent), "test_validators_refuse_garbage", "without a word"),
        (registers(word=moody), "test_validators_refuse_garbage", "at another"),
        (registers(most=typed), "test_a_number_is_taken_as_text_too", ""),
        (registers(factory=lambda options: None), "test_what_it_registers_can_be_made", "NoneType"),
        (
            registers(factory=lambda options: options["word"]),
            "test_what_it_registers_can_be_made",
            "KeyError",
        ),
        (registers(factory=lambda options: SHARED), "test_each_is_made_anew", "see `shares`"),
        (TakesAPlace, "test_it_loads_beside_all_built_in_plugins", "see `replaces`"),
        (NoHook, "test_it_has_a_hook", "marked with @hookimpl"),
        (Misnamed, "test_hooks_are_spelled_right", "register_selectors"),
        ("no_such_module", "test_it_loads_alone", "no_such_module"),
    ],
)
def test_each_mistake_is_found(plugin: object, test: str, saying: str) -> None:
    assert_fails(contract(plugin), test, saying=saying)


@pytest.mark.parametrize(
    ("changes", "plugin"),
    [
        ({"replaces": [("filter", "limits")]}, TakesAPlace),
        ({"shares": [("filter", "tag")]}, registers(factory=lambda options: SHARED)),
    ],
)
def test_what_is_meant_can_be_said(changes: dict[str, Any], plugin: type) -> None:
    made = contract(plugin, **changes)
    assert failures_of(made, only="test_it_loads_beside") == {}
    assert failures_of(made, only="test_each_is_made_anew") == {}


@pytest.mark.parametrize(
    ("line", "saying"),
    [
        ("print('hello')", "hello"),
        ("import threading; threading.Thread(target=int).start()", "starts a thread"),
        ("import socket; socket.socket().bind(('127.0.0.1', 0))", "binds a socket"),
        ("open(__file__ + '.log', 'w').close()", "writes to"),
        ("import warnings; warnings.warn('old')", "old"),
        ("import no_such_library", "no_such_library"),
    ],
)
def test_work_at_import_is_found(
    line: str, saying: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "busy_plugin.py").write_text(f"{line}\n")
    monkeypatch.syspath_prepend(tmp_path)
    made = contract(ModuleType("busy_plugin"))
    assert_fails(made, "test_importing_it_does_nothing_else", saying=saying)

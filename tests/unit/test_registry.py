"""Tests of `blastbeat.registry`."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.config.model import PluginRef
from blastbeat.errors import ConfigError, PluginError, Problem
from blastbeat.interfaces import Factory, Filter, Options, Validator
from blastbeat.registry import KINDS, Registration, Registry


class First:
    """A selector."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def select(self, candidates: Any, request: Any) -> Any:
        return candidates[0]


def entry(
    name: str = "first",
    factory: Factory = First,
    *,
    kind: str = "selector",
    owner: str = "sample",
    built_in: bool = False,
    options: dict[str, Validator] | None = None,
) -> Registration:
    origin = "built in" if built_in else f"{owner}-dist"
    return Registration(kind, name, factory, owner, origin, built_in, options or {})


def registry(*entries: Registration) -> Registry:
    made = Registry()
    for one in entries:
        made.add([one])
    return made


def whole_number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ValueError("a whole number, such as 3") from None


def test_makes_a_new_object_each_time() -> None:
    subject = registry(entry())
    first, second = (subject.make("selector", PluginRef("first")) for _ in range(2))
    assert isinstance(first, First) and first is not second


def test_names_are_sorted_and_kinds_are_apart() -> None:
    subject = registry(entry("b"), entry("a"), entry("c", PlainFilter, kind="filter"))
    assert subject.names("selector") == ("a", "b")
    assert subject.names("filter") == ("c",)
    assert [subject.names(kind) for kind in KINDS if kind not in ("selector", "filter")] == [()] * 5
    with pytest.raises(KeyError):
        subject.names("selectors")


def test_an_unknown_name_lists_the_known_and_guesses() -> None:
    with pytest.raises(ConfigError) as caught:
        registry(entry("hash"), entry("first")).make("selector", PluginRef("hsh"))
    text = str(caught.value)
    assert "no selector of this name" in text and "'hsh'" in text
    assert "known: first, hash" in text and "did you mean 'hash'?" in text


def test_an_unknown_name_of_an_empty_kind() -> None:
    with pytest.raises(ConfigError, match="known: none"):
        Registry().make("filter", PluginRef("limits"))


def test_a_third_party_takes_the_place_of_a_built_in() -> None:
    class Other(First):
        pass

    subject = registry(entry(built_in=True, owner="mine"), entry(factory=Other, owner="theirs"))
    assert type(subject.make("selector", PluginRef("first"))) is Other
    assert subject.owner("selector", "first") == "theirs"


def test_two_third_parties_of_one_name_are_both_named() -> None:
    with pytest.raises(PluginError) as caught:
        registry(entry(owner="one"), entry(owner="two"))
    assert caught.value.plugin == "two"
    for part in ("'one'", "one-dist", "'two'", "two-dist", "'first'", "disable one of them"):
        assert part in str(caught.value)


def test_a_third_one_is_refused_where_a_built_in_was_replaced() -> None:
    with pytest.raises(PluginError, match="'one'"):
        registry(entry(built_in=True, owner="mine"), entry(owner="one"), entry(owner="two"))


def test_the_same_plugin_may_not_register_a_name_twice() -> None:
    with pytest.raises(PluginError, match="selector 'first' twice"):
        Registry().add([entry(), entry()])


def test_all_of_a_plugin_or_nothing() -> None:
    subject = registry(entry("taken", owner="one"))
    with pytest.raises(PluginError):
        subject.add([entry("free", owner="two"), entry("taken", owner="two")])
    assert subject.names("selector") == ("taken",)


def test_nothing_is_added_after_the_freeze() -> None:
    subject = registry(entry())
    subject.freeze()
    with pytest.raises(PluginError, match="frozen"):
        subject.add([entry("second")])
    assert subject.names("selector") == ("first",)


def test_options_are_validated_before_the_factory_sees_them() -> None:
    subject = registry(entry(options={"size": whole_number}))
    made = subject.make("selector", PluginRef("first", {"size": "3"}))
    assert isinstance(made, First) and made.options == {"size": 3}


def test_every_wrong_option_is_told() -> None:
    subject = registry(entry(options={"size": whole_number, "depth": whole_number}))
    with pytest.raises(ConfigError) as caught:
        subject.make("selector", PluginRef("first", {"sise": 1, "depth": "x"}))
    text = str(caught.value)
    assert "sise=1: unknown option; known options: depth, size; did you mean 'size'?" in text
    assert "depth=x: a whole number, such as 3" in text


def test_options_where_none_are_taken() -> None:
    with pytest.raises(ConfigError, match="size=1: unknown option; it takes no options"):
        registry(entry()).make("selector", PluginRef("first", {"size": 1}))


def test_examine_says_what_make_would_raise_and_makes_nothing() -> None:
    def explode(options: Options) -> object:
        raise AssertionError("made")

    subject = registry(entry(factory=explode, options={"size": whole_number}))
    assert subject.examine("selector", PluginRef("first")) == []
    assert len(subject.examine("selector", PluginRef("first", {"a": 1, "b": 2}))) == 2
    assert len(subject.examine("selector", PluginRef("last"))) == 1


def test_a_failing_factory_names_its_plugin() -> None:
    def explode(options: Options) -> object:
        raise LookupError("no table")

    with pytest.raises(PluginError) as caught:
        registry(entry(factory=explode)).make("selector", PluginRef("first"))
    assert caught.value.plugin == "sample"
    assert "making the selector 'first' failed: LookupError: no table" in str(caught.value)


def test_options_that_do_not_go_together_are_told_with_the_place() -> None:
    def refuse(options: Options) -> object:
        raise ConfigError([Problem("it needs `to`")])

    with pytest.raises(ConfigError) as caught:
        registry(entry(factory=refuse)).make("selector", PluginRef("first"))
    problem = caught.value.problems[0]
    assert (problem.key, problem.value, problem.message) == ("selector", "first", "it needs `to`")


class Located:
    def __init__(self, folder: str = "") -> None:
        self.folder = folder

    def in_folder(self, folder: str) -> Located:
        return Located(folder)

    def __call__(self, value: Any) -> str:
        return f"{self.folder}/{value}"


def test_file_names_start_at_the_folder_of_the_configuration() -> None:
    made: list[Options] = []

    def make(options: Options) -> First:
        made.append(options)
        return First(options)

    subject = registry(entry(factory=make, options={"file": Located()}))
    subject.make("selector", PluginRef("first", {"file": "a.html"}, "/etc/blastbeat"))
    assert made == [{"file": "/etc/blastbeat/a.html"}]


class Nothing:
    def __init__(self, options: Options) -> None: ...


class AsyncSelector(Nothing):
    async def select(self, candidates: Any, request: Any) -> Any: ...


class SyncAuthenticator(Nothing):
    def authenticate(self, view: Any) -> Any: ...


class PlainFilter(Filter):
    def __init__(self, options: Options) -> None: ...


class ClosesAtOnce(Nothing):
    async def authenticate(self, view: Any) -> Any: ...

    def aclose(self) -> None: ...


class AsyncAuthenticator(Nothing):
    async def authenticate(self, view: Any) -> Any: ...


class Decoder(Nothing):
    def decode(self, body: Any) -> Any: ...


@pytest.mark.parametrize(
    ("kind", "factory", "wrong"),
    [
        ("selector", Nothing, r"is a Nothing without select\(\)"),
        ("driver", Nothing, r"without new_driver\(\)"),
        ("encoder", Nothing, r"without encode_request\(\) or decode\(\)"),
        ("filter", Nothing, "not a subclass of blastbeat.interfaces.Filter"),
        ("node-authenticator", Nothing, r"without authenticate\(\)"),
        ("node-authenticator", AsyncAuthenticator, "has an `async def authenticate`"),
        ("request-authenticator", SyncAuthenticator, "not `async def`"),
        ("request-authenticator", ClosesAtOnce, r"has an aclose\(\) that is not `async def`"),
        ("selector", AsyncSelector, "has an `async def select`"),
    ],
)
def test_an_object_that_is_not_of_its_kind_is_refused(kind: str, factory: Factory, wrong: str) -> None:
    with pytest.raises(PluginError, match=wrong):
        registry(entry(factory=factory, kind=kind)).make(kind, PluginRef("first"))


@pytest.mark.parametrize(
    ("kind", "factory"),
    [
        ("encoder", Decoder),
        ("filter", PlainFilter),
        ("node-authenticator", SyncAuthenticator),
        ("request-authenticator", AsyncAuthenticator),
    ],
)
def test_an_object_of_its_kind_is_taken(kind: str, factory: Factory) -> None:
    assert registry(entry(factory=factory, kind=kind)).make(kind, PluginRef("first")) is not None

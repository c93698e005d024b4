"""An application by its name: what is found, what is told where it is not, and which interface it has."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blastbeat.node.loading import ASGI, WSGI, LoadError, find_interface, load

Write = Callable[[str, str], str]


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Write]:
    """Writes a module; returns the folder. What it imported is forgotten afterwards."""
    modules, path = set(sys.modules), list(sys.path)

    def write(name: str, text: str) -> str:
        file = tmp_path / f"{name.replace('.', '/')}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return str(tmp_path)

    yield write
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def refused(app: str, folder: str, *, factory: bool = False) -> LoadError:
    with pytest.raises(LoadError) as error:
        load(app, folder, factory=factory)
    return error.value


def test_an_attribute_of_a_module_in_the_folder(write: Write) -> None:
    folder = write("pack.inner", "class box:\n    app = 5\nmake = lambda: 6\n")
    assert load("pack.inner:box.app", folder) == 5
    assert load("pack.inner:make", folder, factory=True) == 6


def test_without_attribute_application_or_app_is_taken(write: Write) -> None:
    write("with_both", "application, app = 1, 2")
    folder = write("with_app", "app = 2")
    assert (load("with_both", folder), load("with_app", folder)) == (1, 2)
    write("with_none", "")
    assert "write with_none:ATTRIBUTE" in str(refused("with_none", folder))


def test_a_module_that_is_not_there_is_told_with_the_nearest(write: Write) -> None:
    folder = write("storefront", "")
    error = refused("storefrnt:app", folder)
    assert str(error) == (
        f"there is no module 'storefrnt' in {folder} nor among what is installed; did you mean 'storefront'?"
    )
    assert not error.trace
    assert "--app-dir" in str(refused("zzzz_zzzz:app", folder))


def test_a_module_of_a_package_that_is_not_there(write: Write) -> None:
    folder = write("a_package.first", "")
    assert "there is no module 'a_package.second'" in str(refused("a_package.second:app", folder))


def test_an_attribute_that_is_not_there_is_told_with_the_nearest(write: Write) -> None:
    folder = write("has_it", "application = 1")
    assert "did you mean 'application'?" in str(refused("has_it:aplication", folder))


def test_what_fails_in_the_application_comes_with_its_own_traceback(write: Write) -> None:
    folder = write("failing", "def f():\n    raise KeyError('x')\n\nf()\n")
    error = refused("failing:app", folder)
    assert str(error) == "failing:app can't be loaded: KeyError: 'x'"
    assert error.trace.count("File ") == 2
    assert 'failing.py", line 4' in error.trace
    assert "loading.py" not in error.trace and "importlib" not in error.trace


def test_a_module_that_the_application_misses_is_its_own_failure(write: Write) -> None:
    folder = write("needs_more", "import not_installed_at_all\n")
    error = refused("needs_more:app", folder)
    assert "can't be loaded: ModuleNotFoundError" in str(error)
    assert 'needs_more.py", line 1' in error.trace


def test_a_syntax_error_is_shown_where_it_is(write: Write) -> None:
    folder = write("mistyped", "x = (\n")
    error = refused("mistyped:app", folder)
    assert "SyntaxError" in str(error)
    assert 'mistyped.py", line 1' in error.trace and "loading.py" not in error.trace


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def make():\n    return 1 / 0\n", "can't be loaded: ZeroDivisionError"),
        ("make = 5\n", "can't be called"),
        ("async def make():\n    pass\n", "is async"),
    ],
)
def test_a_factory_that_makes_nothing(write: Write, text: str, told: str) -> None:
    folder = write("factory", text)
    assert told in str(refused("factory:make", folder, factory=True))


def test_a_module_that_ends_the_process_is_told(write: Write) -> None:
    folder = write("leaving", "raise SystemExit(4)\n")
    assert "ended the process while it was imported (exit code 4)" in str(refused("leaving:app", folder))


async def asgi(scope: Any, receive: Any, send: Any) -> None: ...


def wsgi(environ: Any, start_response: Any) -> Any: ...


class AsgiObject:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class WsgiObject:
    def __call__(self, environ: Any, start_response: Any) -> Any: ...


class Endpoint:
    def __init__(self, scope: Any, receive: Any, send: Any) -> None: ...

    def __await__(self) -> Any: ...


def plain_asgi(scope: Any, receive: Any, send: Any) -> Any: ...


def with_more(environ: Any, start_response: Any, more: int = 0) -> Any: ...


@pytest.mark.parametrize(
    ("application", "interface"),
    [
        (asgi, ASGI),
        (AsgiObject(), ASGI),
        (AsgiObject().__call__, ASGI),
        (Endpoint, ASGI),
        (plain_asgi, ASGI),
        (functools.partial(asgi), ASGI),
        (wsgi, WSGI),
        (WsgiObject(), WSGI),
        (with_more, WSGI),
    ],
)
def test_the_interface_is_found(application: Any, interface: str) -> None:
    assert find_interface(application, "m:a") == interface


@pytest.mark.parametrize(
    ("application", "told"),
    [
        (5, "m:a is an int and can't be called"),
        (lambda: None, "add --factory"),
        (lambda scope: None, "ASGI 2"),
        (lambda *arguments: None, "say --interface asgi or wsgi"),
    ],
)
def test_what_is_no_application_is_told(application: Any, told: str) -> None:
    with pytest.raises(LoadError, match=told):
        find_interface(application, "m:a")

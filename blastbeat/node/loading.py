"""An application by its name `module:attribute`, and whether it speaks ASGI or WSGI.

Runs the application's code, and nothing else does before a node serves. What goes wrong is told as its author
would look for it: their traceback without our frames, and one line.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import os
import sys
import traceback
from types import ModuleType, TracebackType
from typing import Any

from blastbeat.errors import BlastBeatError

ASGI, WSGI = "asgi", "wsgi"

_DEFAULTS = ("application", "app")
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class LoadError(BlastBeatError):
    """The application can't be had. `trace` is where it failed in its own code, empty where it did not come
    to that."""

    def __init__(self, reason: str, trace: str = "") -> None:
        self.trace = trace
        super().__init__(reason)


def load(app: str, app_dir: str, *, factory: bool = False) -> Any:
    """The application that `app` names. `app_dir` is importable from here on. Raises LoadError."""
    if app_dir not in sys.path:
        sys.path.insert(0, app_dir)
    module_name, _, path = app.partition(":")
    found = _attribute(_import(app, module_name, app_dir), path, app)
    return _call(found, app) if factory else found


def find_interface(application: Any, app: str) -> str:
    """ASGI or WSGI. Raises LoadError where it can't be told."""
    if not callable(application):
        kind = type(application).__name__
        raise LoadError(f"{app} is {_article(kind)} and can't be called, so it is no application")
    plain = application
    while isinstance(plain, functools.partial):
        plain = plain.func
    if inspect.isclass(plain):
        if hasattr(plain, "__await__"):  # an instance per scope, as Starlette's endpoints are
            return ASGI
    elif inspect.iscoroutinefunction(plain) or inspect.iscoroutinefunction(type(plain).__call__):
        return ASGI
    needed = _parameters(application)
    if needed == 3:
        return ASGI
    if needed == 2:
        return WSGI
    if needed == 0:
        raise LoadError(f"{app} takes no arguments: if it makes the application, add --factory")
    if needed == 1:
        raise LoadError(f"{app} takes one argument, as applications of ASGI 2 do; ASGI 3 is needed")
    raise LoadError(f"{app} does not show whether it is ASGI or WSGI: say --interface asgi or wsgi")


def _import(app: str, name: str, app_dir: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name != missing and not name.startswith(f"{missing}."):
            raise LoadError(*_failed(app, error)) from error  # one that the application imports
        hint = _did_you_mean(name.partition(".")[0], _modules_in(app_dir)) if missing in name else ""
        more = f"; {hint}" if hint else "; --app-dir says where else to look"
        raise LoadError(
            f"there is no module {missing!r} in {app_dir} nor among what is installed{more}"
        ) from error
    except Exception as error:
        raise LoadError(*_failed(app, error)) from error
    except SystemExit as error:
        raise LoadError(f"{name} ended the process while it was imported (exit code {error.code})") from error


def _modules_in(folder: str) -> list[str]:
    try:
        names = sorted(os.listdir(folder))[:1000]
    except OSError:
        return []
    return [name.removesuffix(".py") for name in names if name.endswith(".py") or "." not in name]


def _attribute(module: ModuleType, path: str, app: str) -> Any:
    if not path:
        for name in _DEFAULTS:
            if hasattr(module, name):
                return getattr(module, name)
        raise LoadError(f"{module.__name__} has neither `application` nor `app`: write {app}:ATTRIBUTE")
    found: Any = module
    for name in path.split("."):
        if not hasattr(found, name):
            hint = _did_you_mean(name, [each for each in vars(found) if not each.startswith("_")][:1000])
            where = getattr(module, "__file__", None) or module.__name__
            raise LoadError(f"{app}: there is no {name!r} in {where}{f'; {hint}' if hint else ''}")
        found = getattr(found, name)
    return found


def _call(factory: Any, app: str) -> Any:
    if not callable(factory):
        raise LoadError(f"{app} can't be called, so --factory makes nothing of it")
    try:
        made = factory()
    except Exception as error:
        raise LoadError(*_failed(app, error)) from error
    if inspect.iscoroutine(made):
        made.close()
        raise LoadError(f"{app} is async, and --factory needs a plain function; without it, it may be ASGI")
    return made


def _failed(app: str, error: BaseException) -> tuple[str, str]:
    """One line, and the traceback from the first frame that is not ours or the import system's."""
    frames = error.__traceback__
    while frames is not None and _is_ours(frames):
        frames = frames.tb_next
    trace = "".join(traceback.format_exception(type(error), error, frames, chain=frames is not None))
    return f"{app} can't be loaded: {traceback.format_exception_only(error)[-1].strip()}", trace


def _is_ours(frame: TracebackType) -> bool:
    file = frame.tb_frame.f_code.co_filename
    return file.startswith((_OURS, "<frozen importlib")) or file == importlib.__file__


def _parameters(application: Any) -> int | None:
    """How many arguments it needs by position; None where that does not show."""
    try:
        parameters = inspect.signature(application).parameters.values()
    except (TypeError, ValueError):
        return None
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters):
        return None
    return sum(each.kind in positional and each.default is inspect.Parameter.empty for each in parameters)


def _did_you_mean(written: str, known: list[str]) -> str:
    near = difflib.get_close_matches(written, known, n=1) if len(written) < 100 else []
    return f"did you mean {near[0]!r}?" if near else ""


def _article(word: str) -> str:
    return f"{'an' if word[:1].lower() in 'aeiou' else 'a'} {word}"

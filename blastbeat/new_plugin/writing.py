"""Fills the templates in and writes them to a folder that was not there before.

A template's file name ends in `.template`; `dot-` at the beginning of a name stands for the dot (a
`.gitignore` would mean something here already), and both names and texts hold words such as `@NAME@`.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from blastbeat import API_VERSION, __version__
from blastbeat.errors import BlastBeatError
from blastbeat.new_plugin.naming import KINDS, Names

_SUFFIX = ".template"
_DOT = "dot-"
_WORD = re.compile(r"@([A-Z]+)@")


def write_distribution(names: Names, directory: Path, year: int) -> Path:
    """Write the distribution into a new folder of its name in `directory`, which is made if it is missing.

    Returns the folder. Raises BlastBeatError where it is there already or can't be written; what was begun is
    removed then.
    """
    texts = render(names, year)
    folder = directory / names.distribution
    try:
        directory.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
    except FileExistsError as error:
        if error.filename == str(folder):
            raise BlastBeatError(f"{folder} is there already, and is left as it is") from None
        raise BlastBeatError(f"{error.filename} is no folder") from None
    except OSError as error:
        raise BlastBeatError(f"{error.filename} can't be made: {error.strerror}") from None
    try:
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise BlastBeatError(f"{error.filename} can't be written: {error.strerror}") from None
    return folder


def render(names: Names, year: int) -> dict[str, str]:
    """The text of each file of the distribution, by its path there."""
    templates = files("blastbeat.new_plugin") / "templates"
    words = _words(names, year)
    about = _fill((templates / names.kind / "about.md").read_text(encoding="utf-8"), words)
    words |= {"ABOUT": about.rstrip(), "SUMMARY": about.partition("\n")[0]}
    return {
        _fill(path, words): _fill(text, words)
        for part in ("common", names.kind)
        for path, text in _walk(templates / part)
    }


def _words(names: Names, year: int) -> dict[str, str]:
    return {
        "NAME": names.name,
        "UNDERSCORED": names.underscored,
        "MODULE": names.module,
        "DISTRIBUTION": names.distribution,
        "CLASS": names.class_name,
        "ENTRY": names.entry,
        "KIND": KINDS[names.kind].title,
        "VERSION": __version__,
        "API": str(API_VERSION),
        "YEAR": str(year),
    }


def _fill(text: str, words: Mapping[str, str]) -> str:
    return _WORD.sub(lambda match: words[match[1]], text)


def _walk(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Each template below `folder`: the path it is written to, words not filled in yet, and its text."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        name = entry.name
        shown = f".{name.removeprefix(_DOT)}" if name.startswith(_DOT) else name
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{shown}/")
        elif name.endswith(_SUFFIX):
            yield prefix + shown.removesuffix(_SUFFIX), entry.read_text(encoding="utf-8")

"""Finding and reading configuration files: the search order, the notation, `include`.

Knows sections only so far that none may be given twice.
"""

from __future__ import annotations

import glob
from collections.abc import Mapping
from pathlib import Path

from blastbeat.config import rows
from blastbeat.config.ini import read_ini
from blastbeat.config.rows import Document, Row, Section
from blastbeat.config.toml import read_toml
from blastbeat.errors import ConfigError, Problem

ENVIRONMENT = "BLASTBEAT_CONFIG"
SEARCHED = ("blastbeat.toml", "blastbeat.ini", "/etc/blastbeat/blastbeat.toml")
MAX_BYTES = 16 * 1024 * 1024
MAX_FILES = 10_000


def find_config(argument: str | None, environ: Mapping[str, str]) -> Path:
    """The configuration file: the argument, else ``$BLASTBEAT_CONFIG``, else the first of SEARCHED there is.

    Raises ConfigError that says where it looked.
    """
    if argument is not None:
        return _must_exist(argument, "")
    if environ.get(ENVIRONMENT):
        return _must_exist(environ[ENVIRONMENT], f"; ${ENVIRONMENT} names it")
    for name in SEARCHED:
        path = Path(name)
        if _exists(path):
            return path
    looked = ", ".join(name if name.startswith("/") else f"./{name}" for name in SEARCHED)
    raise ConfigError([Problem(f"no configuration: looked for {looked}; ${ENVIRONMENT} is not set")])


def is_toml(path: Path) -> bool:
    """True where a file's name says TOML, as `a.toml` and `a.toml.example` do; any other is read as ini."""
    last = next((found for found in reversed(path.suffixes) if found.lower() in (".toml", ".ini")), "")
    return last.lower() == ".toml"


def _must_exist(name: str, origin: str) -> Path:
    path = Path(name)
    if _exists(path):
        return path
    raise ConfigError([Problem(f"there is no such file{origin}", file=name)])


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def read_files(path: Path, environ: Mapping[str, str]) -> Document:
    """All sections of a file and of those it includes. Never raises; problems are in the document."""
    reader = _FileReader(environ)
    reader.read(path, Row("", "", "", 0), ())
    reader.add_implied()
    return reader.document


class _FileReader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.document = Document()
        self.first_named: dict[Path, str] = {}
        self.first_section: dict[tuple[str, str, str, str], Section] = {}
        self.implied: list[Section] = []

    def read(self, path: Path, origin: Row, above: tuple[Path, ...]) -> None:
        text = self._read_text(path, origin)
        if text is None:
            return
        file = str(path)
        if is_toml(path):
            found = read_toml(text, file, self.environ)
        else:
            found = read_ini(text, file)
        self.document.problems += found.problems
        self.document.is_incomplete |= found.is_incomplete
        for section in found.sections:
            self._add(section)
        for row in found.includes:
            self._include(row, path, (*above, _resolved(path)))

    def _add(self, section: Section) -> None:
        if section.is_implied:
            self.implied.append(section)
            return
        if section.kind == rows.TABLE and not section.name:
            self.document.sections.append(section)  # no table, whose keys are an error one by one
            return
        first = self.first_section.setdefault(_mark(section), section)
        if first is section:
            self.document.sections.append(section)
            return
        where = f"{first.file}:{first.line}"
        problem = rows.problem_of(section, f"this section was already given at {where}", "join the two")
        self.document.problems.append(problem)

    def add_implied(self) -> None:
        """A virtualhost of which only routes are written, unless another file has its section."""
        for section in self.implied:
            if self.first_section.setdefault(_mark(section), section) is section:
                self.document.sections.append(section)

    def _include(self, row: Row, including: Path, above: tuple[Path, ...]) -> None:
        if row.value == "":
            return
        if not isinstance(row.value, str) or "\0" in row.value:
            self._refuse(row, "is not a file name or a pattern such as conf.d/*.toml")
            return
        base = including.parent
        has_pattern = glob.has_magic(row.value)
        names = sorted(glob.glob(row.value, root_dir=base)) if has_pattern else [row.value]
        for name in names:
            path = base / name
            resolved = _resolved(path)
            if resolved in above:
                self._refuse(row, f"{path} includes itself, by way of this file")
            elif resolved in self.first_named:
                self._refuse(row, f"{path} was already included by {self.first_named[resolved]}")
            elif len(self.first_named) >= MAX_FILES:
                self._refuse(row, f"includes more than {MAX_FILES} files")
                return
            else:
                self.first_named[resolved] = f"{row.file}:{row.line}"
                self.read(path, row, above)

    def _refuse(self, row: Row, message: str) -> None:
        self.document.problems.append(rows.problem_at(None, row, message))

    def _read_text(self, path: Path, origin: Row) -> str | None:
        """The text of a file, or None with a problem noted; the problem names the `include` that led here."""
        try:
            with path.open("rb") as opened:
                data = opened.read(MAX_BYTES + 1)
            if len(data) > MAX_BYTES:
                raise ValueError(f"is larger than {MAX_BYTES // 1024 // 1024} MiB")
            return data.decode("utf-8-sig").replace("\r\n", "\n")
        except OSError as problem:
            reason = f"cannot be read: {problem.strerror or problem}"
        except UnicodeDecodeError as problem:
            reason = f"is not UTF-8 (byte {problem.start})"
        except ValueError as problem:
            reason = str(problem)
        self.document.is_incomplete = True
        if origin.file:
            self._refuse(origin, f"{path} {reason}")
        else:
            self.document.problems.append(Problem(reason, file=str(path)))
        return None


def _mark(section: Section) -> tuple[str, str, str, str]:
    return section.kind, section.word, section.host, section.name


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path.absolute()

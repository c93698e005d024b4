"""Error pages: the files that are bodies of the server's own answers, read when a configuration is loaded.

Static: a page is sent as its file was then, without placeholders. Knows no connection; which page an answer
gets is `own_answers`' business.
"""

from __future__ import annotations

import mimetypes
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from blastbeat.config.model import MIB, Config, ErrorPage, Origin, VirtualHostConfig
from blastbeat.errors import ConfigError, Problem

MAX_PAGE_SIZE = MIB
"""Bytes: a page is kept in memory, and is sent for each failure."""

# Without the machine's own tables, so that a page has the same type everywhere.
_TYPES = mimetypes.MimeTypes()


@dataclass(frozen=True, slots=True)
class Page:
    """A body, with the value of its `Content-Type`."""

    content_type: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of one virtualhost or route. `offline` is for 503 while no instance is there."""

    by_status: Mapping[int, Page] = field(default_factory=dict)
    offline: Page | None = None

    def __bool__(self) -> bool:
        return bool(self.by_status) or self.offline is not None


NO_PAGES = Pages()

_Key = tuple[tuple[ErrorPage, ...], str]


class PageTable:
    """The pages of a whole configuration: what names the same files shares them."""

    def __init__(self, by_key: Mapping[_Key, Pages]) -> None:
        self._by_key = by_key

    def of(self, config: VirtualHostConfig) -> Pages:
        """The pages of a virtualhost or route of the configuration that was loaded."""
        return self._by_key.get((config.error_pages, config.offline), NO_PAGES)


def load_pages(config: Config) -> PageTable:
    """Read every file that `error-page` and `offline` name, each once. Raises ConfigError with all that is
    wrong: a file that is missing, unreadable, no file, longer than MAX_PAGE_SIZE or of no known type, and a
    status that has two."""
    reader = _Reader()
    table = {(policy.error_pages, policy.offline): reader.pages_of(policy) for policy in _policies(config)}
    if reader.problems:
        raise ConfigError(list(reader.problems))
    return PageTable(table)


def find_page_problems(config: Config) -> list[Problem]:
    """What `load_pages` would raise; empty when all is well."""
    try:
        load_pages(config)
    except ConfigError as error:
        return list(error.problems)
    return []


def _policies(config: Config) -> Iterator[VirtualHostConfig]:
    """Each set of pages once; 10,000 virtualhosts usually have one."""
    seen: set[_Key] = set()
    for virtualhost in (config.defaults, *config.virtualhosts):
        for policy in virtualhost.parts:
            key = (policy.error_pages, policy.offline)
            if key != ((), "") and key not in seen:
                seen.add(key)
                yield policy


class _Reader:
    def __init__(self) -> None:
        self.problems: dict[Problem, None] = {}  # told once, however many inherit it
        self._files: dict[str, Page | str] = {}  # or what is wrong with it

    def pages_of(self, policy: VirtualHostConfig) -> Pages:
        by_status: dict[int, Page] = {}
        named: dict[int, str] = {}
        for each in policy.error_pages:
            if each.status in named:
                message = f"{each.status} has a page already: {named[each.status]}"
                self._complain(policy, "error-page", f"{each.status} {each.file}", message)
                continue
            named[each.status] = each.file
            page = self._read(policy, "error-page", each.file)
            if page is not None:
                by_status[each.status] = page
        offline = self._read(policy, "offline", policy.offline) if policy.offline else None
        return Pages(by_status, offline)

    def _read(self, policy: VirtualHostConfig, key: str, file: str) -> Page | None:
        found = self._files.get(file)
        if found is None:
            found = self._files[file] = _read_page(file)
        if isinstance(found, Page):
            return found
        self._complain(policy, key, file, found)
        return None

    def _complain(self, policy: VirtualHostConfig, key: str, value: str, message: str) -> None:
        here = Origin(policy.file, policy.line, policy.section)
        origin = policy.origins.get(key, here)
        problem = Problem(
            message, file=origin.file, line=origin.line, section=origin.section, key=key, value=value
        )
        self.problems[problem] = None


def _read_page(file: str) -> Page | str:
    """The page, or what is wrong with its file."""
    try:
        # Not to wait for whoever might write to a pipe.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return "it is no file"
            with open(descriptor, "rb", closefd=False) as source:
                body = source.read(MAX_PAGE_SIZE + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        return f"the page cannot be read: {error.strerror}"
    if len(body) > MAX_PAGE_SIZE:
        return f"the page is longer than {MAX_PAGE_SIZE // MIB} MiB"
    content_type = _content_type(file, body)
    if not content_type:
        return "its name does not tell what it is; it must end in .html, .txt, .json or the like"
    return Page(content_type, body)


def _content_type(file: str, body: bytes) -> bytes:
    """By the name's ending; empty for one that says nothing. A text that is UTF-8 is said to be."""
    kind, encoding = _TYPES.guess_type(f"page{os.path.splitext(file)[1].lower()}")
    if kind is None or encoding is not None:
        return b""
    if kind.startswith("text/"):
        try:
            body.decode()
        except UnicodeDecodeError:
            return kind.encode()
        return kind.encode() + b"; charset=utf-8"
    return kind.encode()

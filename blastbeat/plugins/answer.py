"""The filter `answer`: a fixed response, from the configuration or from a file that is read at start and at
each reload.
"""

from __future__ import annotations

import logging
import mimetypes
from collections.abc import Collection, Sequence
from weakref import WeakSet

from blastbeat import hookimpl, validators
from blastbeat.errors import ConfigError, Problem
from blastbeat.events import CloseReason
from blastbeat.interfaces import Answer, Filter, Options, Register, RequestView, ServerView, Validator
from blastbeat.paths import is_below

log = logging.getLogger(__name__)

MAX_FILE = 1024 * 1024
"""Bytes a file may have: it is kept in memory, per virtualhost."""

FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"upgrade"})
BODYLESS = frozenset({204, 205, 304})


class FixedAnswer(Filter):
    """Answers what lies below `path` and has one of the `methods` (none: all of them)."""

    def __init__(
        self,
        status: int,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
        *,
        file: str = "",
        path: bytes = b"/",
        methods: Collection[bytes] = (),
    ) -> None:
        self._status = status
        self._headers = tuple(headers)
        self._file = file
        self._path = path
        self._methods = frozenset(methods)
        self._answer = self._new_answer(validators.read_file(file, MAX_FILE) if file else body)

    def _new_answer(self, body: bytes) -> Answer:
        reason = CloseReason.COMPLETE if self._status < 400 else CloseReason.REFUSED
        return Answer(self._status, body, self._headers, reason, "answer")

    def on_request(self, view: RequestView) -> Answer | None:
        if self._methods and view.request.method not in self._methods:
            return None
        if self._path != b"/" and not is_below(view.path, self._path):
            return None
        return self._answer

    def read_again(self) -> None:
        """The file may have changed. One that can't be read any more changes nothing, and is logged."""
        if not self._file:
            return
        try:
            self._answer = self._new_answer(validators.read_file(self._file, MAX_FILE))
        except ValueError as error:
            log.warning("filter answer: %s; what was read before stays in use", error)


def make_answer(options: Options) -> FixedAnswer:
    status, body, file = options.get("status", 200), options.get("body"), options.get("file", "")
    if file and body is not None:
        raise ConfigError([Problem("it takes either `body` or `file`")])
    headers = list(options.get("headers", ()))
    if (file or body) and status in BODYLESS:
        raise ConfigError([Problem(f"a response with status {status} has no body")])
    if file or body:
        kind = options.get("content-type") or (type_of(file) if file else "text/plain; charset=utf-8")
        headers.insert(0, (b"Content-Type", kind.encode()))
    return FixedAnswer(
        status,
        headers,
        (body or "").encode(),
        file=file,
        path=options.get("path", b"/"),
        methods=options.get("method", ()),
    )


def type_of(file: str) -> str:
    """The media type that the file's name stands for."""
    kind, encoding = mimetypes.guess_type(file)
    if kind is None or encoding is not None:
        return "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def parse_fields(value: object) -> Sequence[tuple[bytes, bytes]]:
    fields = validators.fields(value)
    for name, _ in fields:
        if name.lower() in FRAMING:
            raise ValueError(f"has {name.decode()}: the framing is the server's")
        if name.lower() == b"content-type":
            raise ValueError("has Content-Type, which is an option of its own: content-type")
    return fields


def parse_type(value: object) -> str:
    kind = validators.text(value)
    if not kind.isascii() or "/" not in kind:
        raise ValueError("is not a media type; write for example text/html; charset=utf-8")
    return kind


OPTIONS: dict[str, Validator] = {
    "status": validators.whole(200, 599),
    "body": validators.text,
    "file": validators.FileContent(MAX_FILE),
    "content-type": parse_type,
    "headers": parse_fields,
    "path": validators.path_prefix,
    "method": validators.tokens,
}


class AnswerPlugin:
    """Knows the filters it made, so that a reload reads their files again, also those of virtualhosts whose
    configuration is what it was."""

    def __init__(self) -> None:
        self._made: WeakSet[FixedAnswer] = WeakSet()

    def _make(self, options: Options) -> FixedAnswer:
        made = make_answer(options)
        self._made.add(made)
        return made

    @hookimpl
    def blastbeat_register_filters(self, register: Register) -> None:
        register("answer", self._make, options=OPTIONS)

    @hookimpl
    def blastbeat_config_reloaded(self, view: ServerView) -> None:
        for each in list(self._made):
            each.read_again()

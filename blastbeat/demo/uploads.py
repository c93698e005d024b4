"""Uploads: counts and sums what arrives, piece by piece, and tells of it at the end. Keeps none of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from blastbeat.demo import pages
from blastbeat.demo.request import Message, Request, answer_json, answer_page

if TYPE_CHECKING:
    from hashlib import _Hash

MAX_UPLOAD = 256 * 1024 * 1024
"""Bytes; more is answered with 413."""

MAX_UPLOADS = 32
"""Uploads at one time; a further one is answered with 503."""


@dataclass(slots=True)
class _Upload:
    request: Request
    began: float
    length: int | None
    received: int = 0
    pieces: int = 0
    sum: _Hash = field(default_factory=hashlib.sha256)


class Uploads:
    """The uploads under way, one per session at most."""

    def __init__(self) -> None:
        self._uploads: dict[bytes, _Upload] = {}

    def begin(self, request: Request, now: float) -> list[Message]:
        upload = _Upload(request, now, request.length)
        if upload.length is not None and upload.length > MAX_UPLOAD:
            return _refuse(request)
        if len(self._uploads) >= MAX_UPLOADS:
            page = pages.message("503", "Too many uploads at one time. Try again in a few seconds.")
            return answer_page(request, "503 Service Unavailable", page, {"Retry-After": "5"})
        if upload.length == 0:
            return _tell(upload, now)
        self._uploads[request.sid] = upload
        return []

    def receive(self, sid: bytes, data: bytes, now: float) -> list[Message]:
        """One `body` message. An empty one ends a body of unknown length; one with a length is counted."""
        upload = self._uploads.get(sid)
        if upload is None:
            return []
        upload.received += len(data)
        upload.pieces += 1 if data else 0
        upload.sum.update(data)
        if upload.received > MAX_UPLOAD:
            del self._uploads[sid]
            return _refuse(upload.request)
        if upload.received == upload.length or not data:
            del self._uploads[sid]
            return _tell(upload, now)
        return []

    def forget(self, sid: bytes) -> None:
        """The session is over, or has another request."""
        self._uploads.pop(sid, None)


def _tell(upload: _Upload, now: float) -> list[Message]:
    result = {
        "bytes": upload.received,
        "messages": upload.pieces,
        "milliseconds": round((now - upload.began) * 1000),
        "sha256": upload.sum.hexdigest(),
    }
    return answer_json(upload.request.sid, result)


def _refuse(request: Request) -> list[Message]:
    text = f"The demo takes uploads of up to {MAX_UPLOAD // 1024 // 1024} MiB."
    return answer_page(request, "413 Content Too Large", pages.message("413", text))

"""Uploads, piece by piece."""

from __future__ import annotations

import hashlib

from blastbeat.demo.uploads import MAX_UPLOAD, MAX_UPLOADS, Uploads
from tests.helpers.demo import SID, data_of, request, status_of


def test_a_body_with_a_length_is_counted_to_its_end() -> None:
    uploads = Uploads()
    assert uploads.begin(request(method="POST", CONTENT_LENGTH="6"), 1.0) == []
    assert uploads.receive(SID, b"abcd", 1.5) == []
    assert data_of(uploads.receive(SID, b"ef", 3.0)) == {
        "bytes": 6, "messages": 2, "milliseconds": 2000, "sha256": hashlib.sha256(b"abcdef").hexdigest()
    }  # fmt: skip
    assert uploads.receive(SID, b"more", 3.0) == []


def test_a_body_of_unknown_length_ends_with_an_empty_message() -> None:
    uploads = Uploads()
    assert uploads.begin(request(method="POST", HTTP_TRANSFER_ENCODING="chunked"), 0.0) == []
    assert uploads.receive(SID, b"abc", 0.0) == []
    told = data_of(uploads.receive(SID, b"", 0.0))
    assert (told["bytes"], told["messages"]) == (3, 1)


def test_no_body_is_an_upload_of_nothing() -> None:
    assert data_of(Uploads().begin(request(method="POST"), 0.0))["bytes"] == 0


def test_too_much_is_refused_before_and_while_it_comes() -> None:
    uploads = Uploads()
    assert status_of(uploads.begin(request(method="POST", CONTENT_LENGTH=str(MAX_UPLOAD + 1)), 0.0)) == 413
    uploads.begin(request(method="POST", HTTP_TRANSFER_ENCODING="chunked"), 0.0)
    piece = bytes(MAX_UPLOAD // 4)
    assert [uploads.receive(SID, piece, 0.0) for _ in range(4)] == [[]] * 4
    assert status_of(uploads.receive(SID, b"!", 0.0)) == 413
    assert uploads.receive(SID, b"", 0.0) == []


def test_uploads_are_bounded_and_forgotten() -> None:
    uploads = Uploads()
    for number in range(MAX_UPLOADS):
        assert uploads.begin(request(b"%d" % number, "POST", CONTENT_LENGTH="1"), 0.0) == []
    late = request(b"late", "POST", CONTENT_LENGTH="1")
    assert status_of(uploads.begin(late, 0.0)) == 503
    uploads.forget(b"0")
    assert uploads.begin(late, 0.0) == []

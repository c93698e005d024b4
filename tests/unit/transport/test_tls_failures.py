"""Words for what OpenSSL says of handshakes, and that each is counted."""

from __future__ import annotations

import ssl

import pytest

from blastbeat.counters import COUNTERS
from blastbeat.transport.tls_failures import FAILURES, why_failed


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("UNSUPPORTED_PROTOCOL", "version"),
        ("WRONG_VERSION_NUMBER", "version"),
        ("NO_SHARED_CIPHER", "no-common"),
        ("PEER_DID_NOT_RETURN_A_CERTIFICATE", "client-certificate"),
        ("TLSV1_ALERT_UNKNOWN_CA", "alert"),
        ("BAD_EXTENSION", "malformed"),
        (None, "malformed"),
    ],
)
def test_the_word_for_it(reason: str | None, why: str) -> None:
    error = ssl.SSLError("whatever")
    error.reason = reason  # type: ignore[assignment]
    assert why_failed(error) == why


def test_a_certificate_that_does_not_verify() -> None:
    assert why_failed(ssl.SSLCertVerificationError("self-signed")) == "client-certificate"


def test_each_is_counted() -> None:
    counted = {name.removeprefix("tls.failed.") for name in COUNTERS if name.startswith("tls.failed.")}
    assert counted - {"broken"} == FAILURES.keys()

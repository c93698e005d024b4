"""Why TLS handshakes fail, in the words they are counted under. Knows OpenSSL's own words for it."""

from __future__ import annotations

import ssl

FAILURES = {
    "left": "the client left before the handshake was done",
    "too-long": "the client sent too much before it was done",
    "plain-http": "the client spoke plain HTTP",
    "no-certificate": "there is no certificate for this address",
    "late": "it was not done within `handshake-timeout`",
    "version": "the client speaks neither TLS 1.2 nor 1.3",
    "no-common": "the client offers nothing that is spoken here",
    "client-certificate": "the client's certificate was missing or not accepted",
    "alert": "the client did not accept it, e.g. our certificate",
    "malformed": "what came was no TLS",
    "stop": "the server stopped",
}
"""Why a handshake fails, by the word it is counted under."""


def why_failed(error: ssl.SSLError) -> str:
    """The word for what OpenSSL says of a handshake."""
    reason = getattr(error, "reason", None) or ""  # not every one has it
    if isinstance(error, ssl.SSLCertVerificationError) or "PEER_DID_NOT_RETURN" in reason:
        return "client-certificate"
    if "UNSUPPORTED_PROTOCOL" in reason or "VERSION" in reason:
        return "version"
    if "NO_SHARED" in reason or "NO_SUITABLE" in reason:
        return "no-common"
    return "alert" if "ALERT" in reason else "malformed"

"""The forms in which htpasswd files keep passwords: which are known, and whether a password fits one.

Pure and slow: whoever asks does it in a thread. Knows no file and no user.

Known are bcrypt (`htpasswd -B`), SHA-crypt (`htpasswd -2`, `-5`, `openssl passwd -6`, `mkpasswd`) and apr1
(`htpasswd` without an option, `openssl passwd -apr1`). Anything else is no hash worth the name and refused:
plain text, `{SHA}` without a salt, DES.
"""

from __future__ import annotations

import re
from hmac import compare_digest

import bcrypt

from blastbeat_auth_basic.crypts import apr1, sha_crypt

BCRYPT_BYTES = 72
"""All that bcrypt looks at of a password. htpasswd cuts there without a word, so we do, too."""

MAX_BCRYPT_COST = 16
"""About 4 s of a core; every step doubles it."""

MAX_ROUNDS = 1_000_000
"""Of SHA-crypt: about 2 s of a core."""

_BCRYPT = re.compile(rb"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_SHA = re.compile(rb"(\$([56])\$(?:rounds=([0-9]{1,9})\$)?[^$:]{0,16}\$)[./A-Za-z0-9]{43,86}")
_APR1 = re.compile(rb"(\$apr1\$[^$:]{0,8}\$)[./A-Za-z0-9]{22}")

_BAD = (
    (rb"\{SHA\}", "is a SHA-1 without salt, which is guessed at once"),
    (rb"\{PLAIN\}|\$plain", "is plain text"),
    (rb"\$1\$", "is md5-crypt, which is not known here"),
    (rb"\$y\$|\$7\$|\$argon2", "is of a form that is not known here"),
)


def fault_of(hashed: bytes) -> str:
    """What is wrong with a hash, empty where it can be checked. Holds nothing of it."""
    if match := _BCRYPT.fullmatch(hashed):
        cost = int(match[1])
        return (
            "" if 4 <= cost <= MAX_BCRYPT_COST else f"has a cost of {cost}; 4 to {MAX_BCRYPT_COST} are taken"
        )
    if match := _SHA.fullmatch(hashed):
        rounds = int(match[3] or 5000)
        if not 1000 <= rounds <= MAX_ROUNDS:
            return f"has {rounds} rounds; 1000 to {MAX_ROUNDS} are taken"
        return "" if len(hashed) - match.end(1) == (43 if match[2] == b"5" else 86) else "is cut off"
    if _APR1.fullmatch(hashed):
        return ""
    for pattern, fault in _BAD:
        if re.match(pattern, hashed):
            return fault
    return "is no hash of bcrypt, SHA-crypt or apr1"


def is_weak(hashed: bytes) -> bool:
    """True for apr1: 1000 rounds of MD5, millions of guesses per second for whoever gets hold of the file."""
    return hashed.startswith(b"$apr1$")


def cost_of(hashed: bytes) -> float:
    """About how long a check takes: to compare hashes by, no unit."""
    if match := _BCRYPT.fullmatch(hashed):
        return 2.0 ** int(match[1]) * 60
    if match := _SHA.fullmatch(hashed):
        return float(match[3] or 5000)
    return 1000.0


def fits(password: bytes, hashed: bytes) -> bool:
    """True when `hashed` was made of `password`. Constant in time for hashes of one form and cost."""
    if hashed.startswith(b"$2"):
        try:
            return bcrypt.checkpw(password[:BCRYPT_BYTES], hashed)
        except ValueError:  # the padding bits of its salt are wrong: nothing fits it
            return False
    if hashed.startswith(b"$apr1$"):
        return compare_digest(apr1(password, hashed), hashed)
    return compare_digest(sha_crypt(password, hashed), hashed)

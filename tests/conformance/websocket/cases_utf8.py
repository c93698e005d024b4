"""Text that is UTF-8, and text that is none, told as early as it can be (Autobahn 6.*). See case.py."""

from __future__ import annotations

import codecs

from tests.conformance.websocket.case import Case, bad, good
from tests.helpers.websocket_frames import BINARY, TEXT, fragments, frame

_KOSME = "\u03ba\u1f79\u03c3\u03bc\u03b5".encode()

GOOD = {
    "greek": _KOSME,
    "first of two bytes": b"\xc2\x80",
    "first of three bytes": b"\xe0\xa0\x80",
    "first of four bytes": b"\xf0\x90\x80\x80",
    "last of one": b"\x7f",
    "last of two": b"\xdf\xbf",
    "last of three": b"\xef\xbf\xbf",
    "last of all": b"\xf4\x8f\xbf\xbf",
    "before surrogates": b"\xed\x9f\xbf",
    "behind surrogates": b"\xee\x80\x80",
    "no character": b"\xef\xb7\x90\xf0\x9f\xbf\xbe",
    "NUL": b"\x00",
    "latin": "Hello-µ@ßöäüàá-UTF-8!!".encode(),
    **{f"U+{point:X}": chr(point).encode() for point in (0xFFFD, 0xFFFE, 0xFFFF, 0x1FFFE, 0x8FFFF)},
}
_FURTHER = """
    c020c120df20 e020ef20 f020f720 fefeffff c1bf e09fbf f08fbfbf e08080 f0808080 edadbf edae80
    edafbf edb080 edafbfedbfbf f7bfbfbf fbbfbfbfbf fdbfbfbfbfbf e0a0 efbf f09080 f48fbf
""".split()
"""More of the kinds below, in hexadecimal."""

BAD = {
    "lone continuation": b"\x80",
    "continuations": b"\xbf\x80\xbf",
    "begun two": b"\xc2",
    "begun three": b"\xe2\x82",
    "begun four": b"\xf0\x9f\x98",
    "ff": b"\xff",
    "fe": b"\xfe",
    "overlong two": b"\xc0\xaf",
    "overlong three": b"\xe0\x80\xaf",
    "overlong four": b"\xf0\x80\x80\xaf",
    "overlong NUL": b"\xc0\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "six bytes": b"\xfc\x84\x80\x80\x80\x80",
    "over the last": b"\xf4\x90\x80\x80",
    "high surrogate": b"\xed\xa0\x80",
    "low surrogate": b"\xed\xbf\xbf",
    "pair of surrogates": b"\xed\xa0\x80\xed\xb0\x80",
    **{word: bytes.fromhex(word) for word in _FURTHER},
}


def _bytewise(data: bytes) -> bytes:
    return b"".join(fragments(TEXT, [data[at : at + 1] for at in range(len(data))]))


def _is_begun(data: bytes) -> bool:
    """It may yet become good, unless the message ends."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return True


CASES: dict[str, Case] = {
    **{f"{name}": good(frame(TEXT, text), ("text", text)) for name, text in GOOD.items()},
    **{f"{name}, byte by byte": good(_bytewise(text), ("text", text)) for name, text in GOOD.items()},
    **{f"bad: {name}": bad(1007, frame(TEXT, _KOSME + text)) for name, text in BAD.items()},
    **{f"bad: {name}, byte by byte": bad(1007, _bytewise(_KOSME + text)) for name, text in BAD.items()},
    **{f"binary: {name}": good(frame(BINARY, text), ("binary", text)) for name, text in BAD.items()},
    **{
        f"at once: {name}": bad(1007, frame(TEXT, _KOSME + text + b"rest of it")[:-10])
        for name, text in BAD.items()
        if not _is_begun(text)
    },
    "at once: in a frame that is not whole": bad(1007, frame(TEXT, _KOSME + b"\xff" + b"." * 99)[:-60]),
    "at once: in a fragment, more to come": bad(1007, frame(TEXT, _KOSME + b"\xf4\x90", fin=False)),
}

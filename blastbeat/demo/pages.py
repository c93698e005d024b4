"""The demo's HTML, filled in on the node's side. Knows nothing of sessions and messages.

Everything a client sent is escaped here, and the pages carry a policy that runs no script but their own.
"""

from __future__ import annotations

import html
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from string import Template


@dataclass(frozen=True, slots=True)
class Page:
    """A finished page and the Content-Security-Policy to send with it."""

    html: bytes
    policy: str


def visible(text: str) -> str:
    """`text` safe to put into HTML, characters that cannot be seen (control, direction) spelled out."""
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return html.escape("".join(shown))


def welcome(
    variables: Mapping[str, str], *, sid: bytes, node: str, process: int, beats: int, word: str
) -> Page:
    """The page at `/`: the request as the node received it, and what else there is to try.

    `beats`: lines of the stream. `word`: what the page's own requests carry, so that their frames are found.
    """
    rows = "\n".join(
        f'<tr><th scope="row">{visible(name)}</th><td>{visible(value) or "<i>empty</i>"}</td></tr>'
        for name, value in variables.items()
    )
    return _fill(
        "page.html",
        variables=rows,
        sid=sid.hex(),
        node=visible(node),
        process=str(process),
        beats=str(beats),
        host=visible(variables.get("HTTP_HOST", "")),
        word=visible(word),
        scripts=_read("page.js"),
    )


def message(title: str, text: str) -> Page:
    """A page that says one thing."""
    return _fill("message.html", title=visible(title), text=visible(text))


def not_found(path: str) -> Page:
    return message("404", f"The demo has no page at {path[:200]}.")


def _fill(name: str, **values: str) -> Page:
    nonce = secrets.token_urlsafe(16)
    text = Template(_read(name)).substitute(values, nonce=nonce, styles=_read("style.css"))
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; img-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Page(text.encode("utf-8"), policy)


def _read(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")

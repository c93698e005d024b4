"""What the status address answers to whom, without a server behind it."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from blastbeat.events import CloseReason, RequestHead
from blastbeat.interfaces import Answer
from blastbeat.monitoring.site import FILES, PLACES, StatusSite
from blastbeat.monitoring.status import Query

HOST = b"127.0.0.1:9180"


class Site:
    """A site, and what it asked its server for."""

    def __init__(self, *, has_client: bool = True, is_stopping: bool = False) -> None:
        self.queries: list[Query] = []
        self.accepted: list[str] = []
        self.in_thread = 0
        self._has_client = has_client
        self._site = StatusSite(
            self._status, self._metrics, lambda: is_stopping, self._run, frozenset({"proxy1.internal"})
        )

    def _status(self, query: Query) -> dict[str, Any]:
        self.queries.append(query)
        return {"status": "fine"}

    def _metrics(self, accept: str) -> Callable[[], tuple[bytes, str]]:
        if not self._has_client:
            raise ModuleNotFoundError("prometheus_client")
        self.accepted.append(accept)
        return lambda: (b"metrics\n", "text/metrics")

    async def _run(self, work: Callable[[], Answer]) -> Answer:
        self.in_thread += 1
        return work()

    def get(self, target: bytes, host: bytes = HOST, method: bytes = b"GET", **fields: bytes) -> Answer:
        headers = [(b"host", host), *((name.encode(), value) for name, value in fields.items())]
        head = RequestHead(1, method, target, target, b"1.1", host, headers)

        async def ask() -> Answer:
            asked: Awaitable[Answer] = self._site.answer(head)
            return await asked

        return anyio.run(ask)


def header(answer: Answer, name: bytes) -> str:
    return b", ".join(value for found, value in answer.headers if found == name).decode()


# ---------------------------------------------------------------- what there is


@pytest.mark.parametrize("path", FILES)
def test_the_page_and_its_parts(path: str) -> None:
    answer = Site().get(path.encode())
    assert (answer.status, header(answer, b"Content-Type")) == (200, FILES[path][1].decode())
    assert answer.body


def test_a_status_is_json() -> None:
    site = Site()
    answer = site.get(b"/status.json")
    assert (answer.status, json.loads(answer.body)) == (200, {"status": "fine"})
    assert header(answer, b"Content-Type") == "application/json"
    assert site.queries == [Query()] and site.in_thread == 1


def test_a_status_of_some() -> None:
    site = Site()
    site.get(b"/status.json?virtualhost=caf%C3%A9.test&limit=3&offset=1&search=a+b")
    assert site.queries == [Query("café.test", "a b", 1, 3)]


@pytest.mark.parametrize(
    ("query", "error"),
    [(b"limit=x", b"limit = x"), (b"host=a", b"unknown: host"), (b"&".join([b"limit=1"] * 11), b"ten")],
)
def test_a_query_that_is_none(query: bytes, error: bytes) -> None:
    answer = Site().get(b"/status.json?" + query)
    assert answer.status == 400 and error in answer.body


def test_metrics_in_the_format_that_is_asked_for() -> None:
    site = Site()
    answer = site.get(b"/metrics", accept=b"text/plain")
    assert (answer.status, answer.body, header(answer, b"Content-Type")) == (
        200,
        b"metrics\n",
        "text/metrics",
    )
    assert site.accepted == ["text/plain"] and site.in_thread == 1
    site.get(b"/metrics")
    assert site.accepted[1] == ""


def test_metrics_without_their_package_say_what_is_missing() -> None:
    answer = Site(has_client=False).get(b"/metrics")
    assert answer.status == 501 and b"pip install 'blastbeat[metrics]'" in answer.body


@pytest.mark.parametrize(("is_stopping", "status"), [(False, 200), (True, 503)])
def test_health(is_stopping: bool, status: int) -> None:
    assert Site(is_stopping=is_stopping).get(b"/healthz").status == status


def test_anything_else_is_told_what_there_is() -> None:
    answer = Site().get(b"/nothing")
    assert answer.status == 404 and all(place.encode() in answer.body for place in PLACES)


# ---------------------------------------------------------------- to whom


@pytest.mark.parametrize(
    "host",
    [b"127.0.0.1", b"10.1.2.3:9180", b"[::1]:9180", b"[2001:DB8::1]", b"localhost", b"LOCALHOST:1",
     b"proxy1.internal:9180", b""],
)  # fmt: skip
def test_who_names_it_rightly_is_answered(host: bytes) -> None:
    assert Site().get(b"/healthz", host).status == 200


@pytest.mark.parametrize(
    "host", [b"evil.example", b"127.0.0.1.evil.example:9180", b"localhost.evil.example", b"a b"]
)
@pytest.mark.parametrize("path", PLACES)
def test_a_page_of_another_site_reads_nothing(host: bytes, path: str) -> None:
    site = Site()
    assert site.get(path.encode(), host).status == 421
    assert not site.queries and not site.accepted


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"get"])
def test_there_is_only_something_to_get(method: bytes) -> None:
    answer = Site().get(b"/status.json", method=method)
    assert (answer.status, header(answer, b"Allow")) == (405, "GET, HEAD")


def test_head_is_answered_like_get() -> None:
    assert Site().get(b"/", method=b"HEAD") == Site().get(b"/")


@pytest.mark.parametrize("path", [*PLACES, "/nothing", "/status.json?limit=x"])
def test_nothing_is_kept_and_nothing_foreign_is_loaded(path: str) -> None:
    answer = Site().get(path.encode())
    assert header(answer, b"Cache-Control") == "no-store"
    assert "default-src 'none'" in header(answer, b"Content-Security-Policy")
    assert answer.reason is CloseReason.COMPLETE


def test_the_page_keeps_to_its_own_policy() -> None:
    """Nothing inline, nothing from elsewhere, and what nodes said is never read as HTML."""
    page = Site().get(b"/").body.decode()
    assert not re.search(
        r"<style|<script(?![^>]*\bsrc=)|\son\w+=|style=|https?://|//", page.replace("<!doctype html>", "")
    )
    script = Site().get(b"/status.js").body.decode()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script)

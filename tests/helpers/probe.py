"""Runs the cases of a table against one server with two nodes, one for each request encoding.

Knows the other helpers. What never happened is proved by a later request that went the whole way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tests.helpers.app import AppNode, AppRequest
from tests.helpers.cases import Case
from tests.helpers.client import RawClient, Response
from tests.helpers.stage import FENCE, Stage

_IMF_FIXDATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4}"
    r" \d\d:\d\d:\d\d GMT"
)
HOSTS = ("app.test", "raw.test")
"""Asked for by name: the virtualhost with the uwsgi encoding, and the one with `headers`. Any other host is
the first one's."""


class Probe:
    def __init__(self, stage: Stage) -> None:
        raw = {"node": ["raw"], "request-encoder": "headers"}
        traced = {"node": ["app"], "trace": True}
        stage.serve(
            {"access-log": "off"}, vhosts={"*": {"node": ["app"]}, "raw.test": raw, "traced.test": traced}
        )
        self.stage = stage
        self._nodes: dict[str, AppNode] = {"app.test": stage.app("app"), "raw.test": stage.app("raw")}
        self._fences = {host: stage.client() for host in HOSTS}

    def run(self, case: Case, host: str = HOSTS[0]) -> list[Response]:
        """The responses, checked, in order."""
        self.seen(host)
        client = self.stage.client()
        try:
            client.send(
                case.sent.replace(b"app.test", host.encode()).replace(b"APP.TEST", host.upper().encode())
            )
            responses = [self._read(client, case, index) for index in range(len(case.statuses))]
            if case.closes:
                client.expect_eof()
            else:
                self._fence(client, host)
        finally:
            client.close()
        seen = self.seen(host)
        assert tuple(_line(request) for request in seen) == case.seen
        if case.bodies is not None:
            assert tuple(bytes(request.body) for request in seen) == case.bodies
        assert [response.status for response in responses] == list(case.statuses)
        return responses

    def forward(self, sent: bytes, host: str = HOSTS[0]) -> AppRequest:
        """The one request that `sent` is to a node, answered 200."""
        self.seen(host)
        client = self.stage.client()
        try:
            client.send(sent)
            assert client.read_response().status == 200
        finally:
            client.close()
        (request,) = self.seen(host)
        return request

    def seen(self, host: str = HOSTS[0]) -> Sequence[AppRequest]:
        """The heads the node got since this was last asked, fences left out."""
        self._fence(self._fences[host], host)
        heads = self._nodes[host].heads
        taken = [request for request in heads if request.variables["REQUEST_URI"] != FENCE]
        heads.clear()
        return taken

    def _fence(self, client: RawClient, host: str) -> None:
        client.get(FENCE, host=host)
        assert client.read_response().body == b"GET /fence "

    def _read(self, client: RawClient, case: Case, index: int) -> Response:
        line = case.seen[index] if index < len(case.seen) else ""
        response = client.read_response(line.partition(" ")[0] or "GET")
        assert _IMF_FIXDATE.fullmatch(response["Date"]) and response["Server"]
        is_last = index == len(case.statuses) - 1
        said = [word.strip() for value in response.all("Connection") for word in value.split(",")]
        assert ("close" in said) is (case.closes and is_last), said
        if response.status >= 400:
            assert response.body and response["Content-Type"].startswith("text/plain")
        return response


def _line(request: AppRequest) -> str:
    return f"{request.variables['REQUEST_METHOD']} {request.variables['REQUEST_URI']}"

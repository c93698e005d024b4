"""Tests of `blastbeat.testing.driver_cases`: the tables are about what passes the gate."""

from __future__ import annotations

import pytest
from hypothesis import given

from blastbeat.plugins.http1_h11 import H11Driver
from blastbeat.testing.driver_cases import REQUESTS, RESPONSES, new_head, requests_of_clients
from blastbeat.testing.driver_reading import read_requests


@pytest.mark.parametrize("case", REQUESTS)
def test_each_request_is_a_whole_one(case: str) -> None:
    assert len(read_requests([REQUESTS[case].data], H11Driver).complete) == 1


@given(requests_of_clients())
def test_generated_requests_are_whole_ones(data: bytes) -> None:
    assert len(read_requests([data], H11Driver).complete) == 1


def test_responses_answer_whole_requests() -> None:
    for case in RESPONSES.values():
        assert read_requests([case.request], H11Driver).complete
        assert new_head(**case.head).status in (200, 204, 304)

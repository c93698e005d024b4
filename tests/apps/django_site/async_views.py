"""Asynchronous views of the Django project: a body in pieces, a stream that waits, a client that leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
async def size(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"size": len(request.body), "user": str(await request.auser())})


async def ticks(request: HttpRequest, number: int) -> StreamingHttpResponse:
    async def generate() -> AsyncIterator[str]:
        for tick in range(number):
            await asyncio.sleep(0)
            yield f"data: {tick}\n\n"

    return StreamingHttpResponse(generate(), content_type="text/event-stream")


async def hangs(request: HttpRequest) -> HttpResponse:
    """Until its client leaves, which Django cancels it for; leaves a file then."""
    try:
        await asyncio.Event().wait()
    finally:
        (settings.FOLDER / "left").write_text("left")
    raise AssertionError


async def fails(request: HttpRequest) -> HttpResponse:
    raise ValueError("a failure of this test")

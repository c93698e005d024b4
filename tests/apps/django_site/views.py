"""Views of the Django project: a form, an upload and its download, streams."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt


def notes(request: HttpRequest) -> HttpResponse:
    """A form, kept from forgery by Django's token."""
    if request.method == "POST":
        request.session["notes"] = [*request.session.get("notes", []), request.POST["note"]]
        return redirect("/notes/")
    return render(request, "notes.html", {"notes": request.session.get("notes", [])})


@csrf_exempt
def upload(request: HttpRequest) -> HttpResponse:
    file = request.FILES["file"]
    default_storage.delete(file.name)
    name = default_storage.save(file.name, file)
    digest = hashlib.sha256((settings.MEDIA_ROOT / name).read_bytes()).hexdigest()
    return JsonResponse({"name": name, "size": file.size, "sha": digest})


def download(request: HttpRequest, name: str) -> FileResponse:
    return FileResponse(default_storage.open(name), as_attachment=True)


def stream(request: HttpRequest, number: int) -> StreamingHttpResponse:
    return StreamingHttpResponse((f"line {line}\n" for line in range(number)), content_type="text/plain")


def names(request: HttpRequest) -> StreamingHttpResponse:
    """From the database, row by row: the cursor belongs to the thread that opened it."""

    def rows() -> Iterator[str]:
        for user in User.objects.order_by("username").iterator(chunk_size=1):
            yield f"{user.username}\n"

    return StreamingHttpResponse(rows(), content_type="text/plain")


def facts(request: HttpRequest) -> JsonResponse:
    return JsonResponse(
        {
            "secure": request.is_secure(),
            "host": request.get_host(),
            "address": request.build_absolute_uri("/a?b"),
            "client": request.META["REMOTE_ADDR"],
        }
    )


def fails(request: HttpRequest) -> HttpResponse:
    raise ValueError("a failure of this test")

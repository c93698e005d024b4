"""A Flask application as its user writes it: a session in a cookie, an upload, files and streams."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator

from flask import (
    Flask,
    Response,
    jsonify,
    redirect,
    request,
    send_file,
    session,
    stream_with_context,
    url_for,
)

app = Flask(__name__)
app.secret_key = "a secret of this test"


@app.get("/")
def index() -> str:
    return f"visits: {session.get('visits', 0)}, {request.args.get('q', 'no question')}\n"


@app.post("/visits")
def visit() -> Response:
    session["visits"] = session.get("visits", 0) + int(request.form["number"])
    return redirect(url_for("index", q="ä b"), code=303)  # type: ignore[return-value]


@app.post("/upload")
def upload() -> Response:
    file = request.files["file"]
    data = file.read()
    return jsonify(name=file.filename, size=len(data), sha=hashlib.sha256(data).hexdigest())


@app.put("/raw")
def raw() -> Response:
    """Reads piece by piece."""
    digest, size = hashlib.sha256(), 0
    while piece := request.stream.read(10_000):
        digest.update(piece)
        size += len(piece)
    return jsonify(size=size, sha=digest.hexdigest(), length=request.content_length)


@app.get("/stream/<int:number>")
def stream(number: int) -> Response:
    def lines() -> Iterator[str]:
        for line in range(number):
            yield f"{line} of {number} for {request.path}\n"

    return Response(stream_with_context(lines()), mimetype="text/plain")


@app.get("/file")
def file() -> Response:
    data = bytes(range(256)) * 1000
    return send_file(
        io.BytesIO(data), "application/octet-stream", True, "bytes.bin", etag="of-bytes", conditional=True
    )


@app.get("/facts")
def facts() -> Response:
    return jsonify(
        secure=request.is_secure,
        host=request.host,
        root=request.url_root,
        client=request.remote_addr,
        path=request.path,
        script=request.script_root,
    )


@app.get("/nothing")
def nothing() -> tuple[str, int]:
    return "", 204


@app.get("/fails")
def fails() -> str:
    raise ValueError("a failure of this test")


@app.get("/fails-late")
def fails_late() -> Response:
    def lines() -> Iterator[str]:
        yield "one\n"
        raise ValueError("a late failure of this test")

    return Response(lines(), mimetype="text/plain")


@app.get("/path/<path:rest>")
def path(rest: str) -> Response:
    return jsonify(rest=rest, query=request.query_string.decode(), header=request.headers.get("X-Name"))

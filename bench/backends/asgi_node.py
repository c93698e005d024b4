"""A node of the library with the application that uvicorn serves: `asgi_node.py ENDPOINT NAME`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, cast

import anyio

sys.path.insert(0, str(Path(__file__).parent))

from asgi_app import app

from blastbeat.node import Node
from blastbeat.node.asgi import asgi_handler


def main() -> None:
    endpoint, name, loop = sys.argv[1:]
    node = Node(endpoint, name, asgi_handler(cast(Any, app)))
    anyio.run(node.run, backend_options={"use_uvloop": loop == "uvloop"})


if __name__ == "__main__":
    main()

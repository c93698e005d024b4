"""A node of the library with the application that uvicorn serves: `asgi_node.py ENDPOINT NAME`."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import anyio

from blastbeat.node import Node
from blastbeat.node.asgi import asgi_handler


def main() -> None:
    endpoint, name, loop = sys.argv[1:]
    sys.path.insert(0, str(Path(__file__).parent))
    node = Node(endpoint, name, asgi_handler(import_module("asgi_app").app))
    anyio.run(node.run, backend_options={"use_uvloop": loop == "uvloop"})


if __name__ == "__main__":
    main()

"""The Django project as an ASGI application, with WebSockets by Channels."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.apps.django_site.settings")

from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application

pages = ASGIStaticFilesHandler(get_asgi_application())

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402

from tests.apps.django_site.consumers import Room  # noqa: E402

rooms = AuthMiddlewareStack(URLRouter([path("rooms/<str:name>/", Room.as_asgi())]))
application = ProtocolTypeRouter({"http": pages, "websocket": rooms})

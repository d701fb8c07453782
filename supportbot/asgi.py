"""The ASGI application: HTTP through Django, WebSockets through Channels, and a lifespan that starts background
parts.
"""

import os
import tempfile
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from supportbot.asgi_handler import application as handler_of_django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "supportbot.settings")
http_application = handler_of_django()
tempfile.gettempdir()  # chosen now: Python finds no folder for temporary files once the disk is full
if settings.SECRET_KEY_IS_MADE_UP:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set: every process would sign sessions with its own key, a new one at each start."
    )

from supportbot.embedded.setting_checks import require_settings  # noqa: E402  # needs the apps

require_settings()  # if another command starts the server, an error would otherwise appear only at the first answer

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402  # models need Django to be set up
from django.urls import path, re_path  # noqa: E402

from supportbot.chat.socket_base import Socket  # noqa: E402
from supportbot.handoff.desk.consumer import DeskConsumer  # noqa: E402
from supportbot.lifespan import lifespan  # noqa: E402
from supportbot.mcp.asgi import application as agents  # noqa: E402
from supportbot.observing.http import observed_socket  # noqa: E402
from supportbot.widget.socket.consumer import ChatConsumer  # noqa: E402

UNKNOWN_PATH = 4404


class UnknownPath(Socket):
    """Accepts a socket before closing it, because clients see the close code only of an open socket."""

    async def connect(self) -> None:
        await self.accept()
        await self.close(code=UNKNOWN_PATH, reason="unknown path")


websocket_application = URLRouter(
    [
        # an ASGI application; the stubs accept only views
        path("ws/v1/chat/", observed_socket("chat", ChatConsumer.as_asgi())),  # type: ignore[arg-type,list-item]
        # as above
        path("ws/v1/desk/", observed_socket("desk", DeskConsumer.as_asgi())),  # type: ignore[arg-type,list-item]
        re_path(r"", UnknownPath.as_asgi()),  # type: ignore[arg-type,list-item]  # as above
    ]
)


async def http(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Serve /mcp/ through the SDK's server, and everything else through Django."""
    serve = agents if scope["path"] in ("/mcp", "/mcp/") else http_application
    await serve(scope, receive, send)


application = ProtocolTypeRouter({"http": http, "websocket": websocket_application, "lifespan": lifespan})

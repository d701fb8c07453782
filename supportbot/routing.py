"""WebSocket routes; an unknown path is closed with a code instead of an error page."""

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import URLRouter
from django.urls import path, re_path

from supportbot.handoff.desk.consumer import DeskConsumer
from supportbot.widget.socket.consumer import ChatConsumer

UNKNOWN_PATH = 4404


class UnknownPath(AsyncWebsocketConsumer):
    """Accepts before closing, because clients only see the close code of an open socket."""

    channel_layer_alias = "none"

    async def connect(self) -> None:
        await self.accept()
        await self.close(code=UNKNOWN_PATH, reason="unknown path")


websocket_application = URLRouter(
    [
        path("ws/v1/chat/", ChatConsumer.as_asgi()),  # type: ignore[arg-type,list-item]  # ASGI; the stubs know views only
        path("ws/v1/desk/", DeskConsumer.as_asgi()),  # type: ignore[arg-type,list-item]  # as above
        re_path(r"", UnknownPath.as_asgi()),  # type: ignore[arg-type,list-item]  # as above
    ]
)

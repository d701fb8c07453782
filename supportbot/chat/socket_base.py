"""The base class of the product's sockets."""

from typing import Any

from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer


class Socket(AsyncWebsocketConsumer):
    """A socket whose handlers reach the database only through `async_db`, and other processes only through
    `chat.signal_broker`.
    """

    # The signal broker uses one channel per process; a channel for each socket would need its own connection.
    channel_layer_alias = "none"

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Handle one ASGI message.

        The inherited method first closes old database connections of a thread that we never use, which costs a thread
        switch for every frame.
        """
        await getattr(self, get_handler_name(message))(message)

"""The base class of our sockets."""

from typing import Any

from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer


class Socket(AsyncWebsocketConsumer):
    """A socket whose handlers use only `async_db` for the database, and `chat.signal_broker` for other processes."""

    # The signal broker uses one channel per process; a channel for each socket would need its own connection.
    channel_layer_alias = "none"

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Handle one ASGI message.

        By default, Channels first closes old database connections of a thread that we never use, which costs a thread
        switch for every frame.
        """
        await getattr(self, get_handler_name(message))(message)

"""The web server of `manage.py serve`: uvicorn, which closes sockets one after another when it ends."""

import asyncio
import random
import socket
from typing import Final

import uvicorn

BETWEEN_SECONDS: Final = 0.05  # two sockets
SPREAD_SECONDS: Final = 2.0  # at most, for all of them: answers that run get ten seconds after it


class WebServer(uvicorn.Server):
    """Uvicorn closes all sockets in one moment, and all chats of a process come back to the others in the next."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()  # whoever comes now goes to another process
        connections = list(self.server_state.connections)
        random.shuffle(connections)  # old and new ones alike
        pause = min(BETWEEN_SECONDS, SPREAD_SECONDS / max(len(connections), 1))
        for connection in connections:
            if self.force_exit:
                break
            if connection in self.server_state.connections:  # it may have ended by itself
                connection.shutdown()
                await asyncio.sleep(pause)
        await super().shutdown(sockets)

"""uvicorn's server with a shutdown that closes sockets one after another."""

import asyncio
import random
import socket
from typing import Final

import uvicorn

BETWEEN_SECONDS: Final = 0.05  # the pause between closing two sockets
SPREAD_SECONDS: Final = 2.0  # the maximum time for closing all sockets; running answers get ten seconds afterwards


class WebServer(uvicorn.Server):
    """Spreads out the closing of sockets. By default, uvicorn closes all at once, and all chats of a process would
    reconnect to the other processes at the same time.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()  # new connections go to another process
        connections = list(self.server_state.connections)
        random.shuffle(connections)  # mix old and new connections
        pause = min(BETWEEN_SECONDS, SPREAD_SECONDS / max(len(connections), 1))
        for connection in connections:
            if self.force_exit:
                break
            if connection in self.server_state.connections:  # it may have ended already
                connection.shutdown()
                await asyncio.sleep(pause)
        await super().shutdown(sockets)

"""How the web server answers what is no HTTP at all, before any of our code sees it."""

import json
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from supportbot.errors import error_body

UNREADABLE: Final = (
    "This is no HTTP request that can be read: it is malformed, or its address has more than 65,535 characters. "
    "Send long texts in the body."
)


class Plainspoken(HttpToolsProtocol):
    """The server's own protocol, but for its refusal: that has the form of every other one."""

    def send_400_response(self, msg: str) -> None:
        body = json.dumps(error_body("bad_request", UNREADABLE)).encode()
        head = [
            b"HTTP/1.1 400 Bad Request",
            b"content-type: application/json",
            b"content-length: " + str(len(body)).encode(),
            b"connection: close",
        ]
        self.transport.write(b"\r\n".join([*head, b"", body]))
        self.transport.close()

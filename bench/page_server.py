"""Serve a merchant's empty pages on a separate origin, compressed as most web servers do."""

import gzip
import mimetypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from supportbot.embedded.free_ports import LOOPBACK

_PAGE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop</title><main><h1>Shop</h1></main>{}</html>'


@dataclass
class Pages:
    origin: str
    bodies: list[str] = field(default_factory=list)

    def with_body(self, body: str) -> str:
        """Add a page with this body, and return its path."""
        self.bodies.append(body)
        return f"/page/{len(self.bodies) - 1}"


@contextmanager
def page_server(files: Path) -> Iterator[Pages]:
    """Serve pages and the files of a folder."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body, kind = self._found()
            self.send_response(200 if kind else 404)
            packed = gzip.compress(body, 9)
            self.send_header("Content-Type", kind or "text/plain")
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(packed)))
            self.end_headers()
            self.wfile.write(packed)

        def _found(self) -> tuple[bytes, str]:
            folder, _, name = self.path.lstrip("/").partition("/")
            if folder == "page":
                return _PAGE.format(pages.bodies[int(name)]).encode(), "text/html; charset=utf-8"
            file = files / folder
            if not file.is_file():
                return b"", ""
            return file.read_bytes(), mimetypes.guess_type(file.name)[0] or "application/octet-stream"

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    pages = Pages(f"http://{LOOPBACK}:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield pages
    finally:
        server.shutdown()
        server.server_close()

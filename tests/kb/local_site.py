"""A website on this machine with a test's pages, which records its requests. While it is up, new sources are read
without pauses between requests.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest import mock

from kb.models import Source


@dataclass
class Reply:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Page = str | bytes | Reply | Callable[[str], "str | bytes | Reply"]


class LocalSite:
    """A site: `pages` maps paths with queries to HTML, a Reply or a function of the path; `{url}` is its address."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.pages: dict[str, Page] = {}
        self.other: Callable[[str], Reply | None] = lambda path: None  # for endlessly many addresses
        self.asked: list[str] = []
        self.unchanged: list[str] = []  # requests that were answered with 304
        self.agents: set[str] = set()

    def answer(self, path: str, agent: str) -> Reply:
        self.asked.append(path)
        self.agents.add(agent)
        page = self.pages.get(path)
        if page is None:
            return self.other(path) or Reply(b"no such page", 404)
        made = page(path) if callable(page) else page
        if isinstance(made, Reply):
            return made
        body = made if isinstance(made, bytes) else made.replace("{url}", self.url).encode()
        return Reply(body, headers={"Content-Type": "text/html; charset=utf-8"})


@contextmanager
def local_site() -> Iterator[LocalSite]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reply = site.answer(self.path, self.headers.get("User-Agent", ""))
            etag = reply.headers.get("ETag")
            if etag and self.headers.get("If-None-Match") == etag:
                reply = Reply(status=304, headers=reply.headers)
                site.unchanged.append(self.path)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value.replace("{url}", site.url))
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            try:
                self.wfile.write(reply.body)
            except OSError:  # the reader has disconnected
                return

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site = LocalSite(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    pause = Source._meta.get_field("delay_seconds")
    try:
        with mock.patch.object(pause, "_get_default", lambda: 0.0):
            yield site
    finally:
        server.shutdown()
        server.server_close()


def themed(title: str, text: str, *, links: str = "", head: str = "") -> str:
    """A themed page: navigation, cookie banner and footer in plain boxes, as in many themes."""
    return (
        f'<!doctype html><html lang="en"><head><title>{title} | Fern Help</title>{head}</head><body>'
        '<div class="top"><a href="/">Fern</a> <a href="/login">Sign in</a> <a href="/cart">Basket</a></div>'
        '<div id="cc-box"><p>We use cookies to make this site better.</p><a href="#ok">Accept all</a></div>'
        f'<div class="w"><h1>{title}</h1>{text}{links}</div>'
        '<div class="btm"><p>Was this article helpful?</p><p>© Fern Ltd. All rights reserved.</p></div></body></html>'
    )

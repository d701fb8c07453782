#!/usr/bin/env python3
"""Serve a realistic help centre on this machine: articles in a theme with navigation, cookie banner and footer.

    python -m bench.help_site FOLDER [--port 8970]

FOLDER contains Markdown files with front matter. As in many real themes, the boxes around the text have names of their
own, so a crawler has to find out which of them belongs to the article. `bench.crawl` reads this site.
"""

import argparse
import html
import os
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from supportbot.embedded.free_ports import LOOPBACK

HOME: Final = "/hc/en/"
PER_SECTION: Final = 40
_THEME: Final = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} – Maker Help</title>
<meta name="viewport" content="width=device-width"><style>body{{font:16px sans-serif}}</style></head><body>
<div class="hx-top"><a href="/">Maker Help</a> <a href="/hc/en/">All articles</a> <a href="https://shop.example/">Shop</a>
<a href="https://forum.example/">Forum</a> <a href="/login?return_to=%2F">Sign in</a></div>
<div class="hx-cc"><p>We and our partners use cookies to improve this site and to show you offers.</p>
<a href="#all">Accept all</a> <a href="#choose">Choose</a></div>
<div class="hx-grid"><div class="hx-l"><p>Browse</p><ul>{sections}</ul></div>
<div class="hx-m"><p><a href="/">Home</a> &gt; <a href="/hc/en/">Help</a></p><h1>{title}</h1>{body}
<p>Was this article helpful?</p><p><a href="#yes">Yes</a> <a href="#no">No</a></p>
<p>Have more questions? <a href="/hc/en/requests/new">Submit a request</a></p></div></div>
<div class="hx-b"><p>Maker Help Ltd, 12 Mill Lane. All rights reserved.</p><ul><li><a href="/terms">Terms</a></li>
<li><a href="/privacy">Privacy</a></li></ul></div></body></html>"""


def pages_of(folder: Path) -> dict[str, str]:
    """Return the HTML of each path. Needs Django."""
    from markdown_it import MarkdownIt

    from kb.importing.loaders.markdown import read_markdown

    # As the site's own editor would show them: with HTML tags and pictures, which our help pages leave out.
    renderer = MarkdownIt("commonmark", {"html": True}).enable("table")
    documents = [read_markdown(file.read_text(), file.stem) for file in sorted(folder.glob("**/*.md"))]
    count = -(-len(documents) // PER_SECTION)
    sections = "".join(f'<li><a href="{HOME}sections/{number}">Topic {number}</a></li>' for number in range(count))

    pages = {HOME: page_of("Help centre", f"<ul>{sections}</ul>", sections)}
    for number in range(count):
        listed = documents[number * PER_SECTION : (number + 1) * PER_SECTION]
        links = (f'<li><a href="{path_of(d.external_id)}">{html.escape(d.wording.title)}</a></li>' for d in listed)
        pages[f"{HOME}sections/{number}"] = page_of(f"Topic {number}", f"<ul>{''.join(links)}</ul>", sections)
    for document in documents:
        rendered = renderer.render(document.wording.body)
        pages[path_of(document.external_id)] = page_of(document.wording.title, rendered, sections)
    return pages


def page_of(title: str, body: str, sections: str) -> str:
    """Return the HTML of a page in the theme."""
    return _THEME.format(title=html.escape(title), body=body, sections=sections)


def path_of(article: str) -> str:
    return f"{HOME}articles/{article}"


@contextmanager
def help_site(pages: Mapping[str, str], port: int = 0, *, has_etags: bool = False) -> Iterator[str]:
    """Serve the pages, and yield the site's address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            page = pages.get(self.path.partition("?")[0])
            body = (page or "no such page").encode()
            tag = f'"{zlib.crc32(body):08x}"' if has_etags else ""
            if tag and self.headers.get("If-None-Match") == tag:
                body = b""
                self.send_response(304)
            else:
                self.send_response(404 if page is None else 200)
            if tag:
                self.send_header("ETag", tag)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer((LOOPBACK, port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=8970)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "supportbot.settings")
    import django

    django.setup()
    with help_site(pages_of(options.folder), options.port) as url:
        print(f"{url}{HOME}")  # noqa: T201
        while True:
            time.sleep(60)


if __name__ == "__main__":
    main()

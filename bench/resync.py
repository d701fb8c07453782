#!/usr/bin/env python3
"""Measure how long it takes to read a site again when nothing has changed.

    python -m bench.resync [--pages 5000] [--etags] [--json]

A site on this machine, with short pages in a theme, is read once, then again without pauses between pages. Prints the
seconds that the second run took and the number of passages it embedded (goal: 5,000 pages in 60 s, 0 embedded). With
`--etags`, the site answers 304; otherwise, it sends every page again, and hashes are compared.
"""

import argparse
import io
import json
import os
import sys
import time
from typing import Any

from bench.help_site import HOME, help_site, page_of
from bench.scratch import installation

PER_SECTION = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=5_000)
    parser.add_argument("--etags", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ |= {"PRIVATE_NETWORKS": "127.0.0.0/8", "KB_EMBEDDER": "kb.testing.HashEmbedder"}
    with installation():
        found = measure(options.pages, has_etags=options.etags)
    words = (f"{name:<10} {value}\n" for name, value in found.items())
    sys.stdout.write(json.dumps(found) if options.json else "".join(words))


def measure(pages: int, *, has_etags: bool) -> dict[str, Any]:
    from kb import ports
    from supportbot.accounts.workspaces import create_workspace

    create_workspace("Resync", slug="resync")
    with help_site(_pages(pages), has_etags=has_etags) as url:
        first, first_seconds = _timed("source_add", f"{url}{HOME}", "--delay", "0")
        embedder: Any = ports.embedder()
        before = len(embedder.embedded)
        second, seconds = _timed("source_sync")
    again = second["sources"][0]
    return {
        "pages": first["new"],
        "first_s": round(first_seconds, 1),
        "again_s": round(seconds, 1),
        "unchanged": again["unchanged"],
        "changed": again["changed"],
        "embedded": len(embedder.embedded) - before,
    }


def _timed(name: str, *args: str) -> tuple[dict[str, Any], float]:
    from django.core.management import call_command

    out, begun = io.StringIO(), time.monotonic()
    call_command(name, *args, "--json", stdout=out, stderr=sys.stderr)
    return json.loads(out.getvalue()), time.monotonic() - begun


def _pages(number: int) -> dict[str, str]:
    sections = range(-(-number // PER_SECTION))
    listed = "".join(f'<li><a href="{HOME}sections/{section}">Topic {section}</a></li>' for section in sections)
    pages = {HOME: page_of("Help centre", f"<ul>{listed}</ul>", listed)}
    for section in sections:
        ids = range(section * PER_SECTION, min((section + 1) * PER_SECTION, number))
        links = "".join(f'<li><a href="{HOME}articles/{one}">Article {one}</a></li>' for one in ids)
        pages[f"{HOME}sections/{section}"] = page_of(f"Topic {section}", f"<ul>{links}</ul>", listed)
        for one in ids:
            body = (
                f"<p>The part number {one} fits model {one * 7}. Turn it by {one % 360} degrees, then press it in.</p>"
            )
            pages[f"{HOME}articles/{one}"] = page_of(f"Part {one}", body, listed)
    return pages


if __name__ == "__main__":
    main()

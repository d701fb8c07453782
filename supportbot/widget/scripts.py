"""The widget's files: `/widget/v1.js`, which pages load, `panel.js` behind it, at an address made of its content, and
`asking.js` beside that, which a chat fetches when it first asks for more than words.

The loader is sent with the panel's address written in. That address is a hash, so the panel may be kept for ever; a
page that still runs yesterday's loader gets today's panel, but keeps nothing of it. Either is sent as one module made
of those beside it (`joined`), its variables under short names (`shorter`). Files are read once per process.
"""

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from supportbot.widget.joined import joined, tight, without_comments
from supportbot.widget.shorter import flags_of, shorter

FOLDER: Final = Path(__file__).with_name("frontend") / "src"
# What the loader's source says in place of the address that it gets here.
_EDITION_IN_SOURCE: Final = '"edition/"'
_STYLES_IN_SOURCE: Final = re.compile(r"(?<=const STYLE = `\n)[^`]+")
_LOADER_CACHE: Final = "public, max-age=300, stale-while-revalidate=86400"
_PANEL_CACHE: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Script:
    """One script as it is sent: plain, and packed for those who take it so."""

    body: bytes
    packed: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class Edition:
    """The widget as it is today; `name` changes with any byte of what the loader leads to."""

    name: str
    loader: Script
    panel: Script
    asking: Script


@cache
def edition() -> Edition:
    """Return the scripts, read and packed once."""
    source = _STYLES_IN_SOURCE.sub(lambda found: tight(found[0]), (FOLDER / "v1.js").read_text(encoding="utf-8"))
    shared = flags_of(source)
    panel = shorter(joined(FOLDER / "panel.js"), shared=shared).encode()
    asking = shorter(joined(FOLDER / "asking.js")).encode()
    name = hashlib.sha256(panel + asking).hexdigest()[:16]
    loader = shorter(without_comments(source), shared=shared)
    return Edition(
        name, _script(loader.replace(_EDITION_IN_SOURCE, f'"{name}/"').encode()), _script(panel), _script(asking)
    )


def _script(body: bytes) -> Script:
    # mtime 0: the same source has the same bytes, and so the same ETag, in every process.
    return Script(body, gzip.compress(body, 9, mtime=0), f'"{hashlib.sha256(body).hexdigest()[:32]}"')


@require_safe
def loader(request: HttpRequest) -> HttpResponse:
    """The one script that a shop's page names."""
    return _answer(request, edition().loader, _LOADER_CACHE)


@require_safe
def panel(request: HttpRequest, name: str) -> HttpResponse:
    """What the loader fetches when somebody wants to chat."""
    return _of_the_edition(request, name, edition().panel)


@require_safe
def asking(request: HttpRequest, name: str) -> HttpResponse:
    """What the panel fetches when it first asks for more than words."""
    return _of_the_edition(request, name, edition().asking)


def _of_the_edition(request: HttpRequest, name: str, script: Script) -> HttpResponse:
    # Kept under a name that is not today's, it would outlive the next edition in that page's cache.
    return _answer(request, script, _PANEL_CACHE if name == edition().name else "no-store")


def _answer(request: HttpRequest, script: Script, cache_control: str) -> HttpResponse:
    is_known = script.etag in request.headers.get("If-None-Match", "")
    answer = HttpResponse(status=304) if is_known else _content(request, script)
    answer.headers["Cache-Control"] = cache_control
    answer.headers["ETag"] = script.etag
    # The scripts are public, and modules of another origin only run where the page may read them.
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    patch_vary_headers(answer, ["Accept-Encoding"])
    return answer


def _content(request: HttpRequest, script: Script) -> HttpResponse:
    content_type = "text/javascript; charset=utf-8"
    if "gzip" not in request.headers.get("Accept-Encoding", ""):
        return HttpResponse(script.body, content_type=content_type)
    return HttpResponse(script.packed, content_type=content_type, headers={"Content-Encoding": "gzip"})


urls = [
    path("widget/v1.js", loader, name="widget-loader"),
    path("widget/<slug:name>/panel.js", panel, name="widget-panel"),
    path("widget/<slug:name>/asking.js", asking, name="widget-asking"),
]

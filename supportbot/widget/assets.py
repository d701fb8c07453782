"""The widget's files: `/widget/v1.js`, which pages load, and what it leads to, at addresses made of their content.

`make widget` bundles `frontend/src` into `dist`, whose files are served as they are. The loader names the others by
their edition, which changes with any byte of them, so they may be kept for ever; a page that still runs yesterday's
loader gets today's panel, but keeps nothing of it. Files are read once per process.
"""

import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

DIST: Final = Path(__file__).with_name("dist")
_LOADER_CACHE: Final = "public, max-age=300, stale-while-revalidate=86400"
_EDITION_CACHE: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent: plain, and compressed for browsers that take it so."""

    body: bytes
    compressed: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class Edition:
    """The widget as it is today: the loader, and by name the files it leads to."""

    name: str
    loader: Asset
    files: Mapping[str, Asset]


@cache
def edition() -> Edition:
    """Return the built files, read and compressed once."""
    manifest = json.loads((DIST / "manifest.json").read_text(encoding="utf-8"))
    return Edition(manifest["edition"], _asset("v1.js"), {name: _asset(name) for name in manifest["files"]})


def _asset(name: str) -> Asset:
    body = (DIST / name).read_bytes()
    # mtime 0: the same file has the same bytes in every process.
    return Asset(body, gzip.compress(body, 9, mtime=0), f'"{hashlib.sha256(body).hexdigest()[:32]}"')


@require_safe
def loader(request: HttpRequest) -> HttpResponse:
    """The one script that a shop's page names."""
    return _response(request, edition().loader, _LOADER_CACHE)


@require_safe
def file(request: HttpRequest, name: str, stem: str) -> HttpResponse:
    """What the loader or the panel fetches when it is first needed; raises Http404."""
    today = edition()
    asset = today.files.get(f"{stem}.js")
    if asset is None:
        raise Http404
    # Kept under a name that is not today's, it would outlive the next edition in that page's cache.
    return _response(request, asset, _EDITION_CACHE if name == today.name else "no-store")


def _response(request: HttpRequest, asset: Asset, cache_control: str) -> HttpResponse:
    is_known = asset.etag in request.headers.get("If-None-Match", "")
    response = HttpResponse(status=304) if is_known else _content(request, asset)
    response.headers["Cache-Control"] = cache_control
    response.headers["ETag"] = asset.etag
    # The scripts are public, and modules of another origin only run where the page may read them.
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    patch_vary_headers(response, ["Accept-Encoding"])
    return response


def _content(request: HttpRequest, asset: Asset) -> HttpResponse:
    content_type = "text/javascript; charset=utf-8"
    if "gzip" not in request.headers.get("Accept-Encoding", ""):
        return HttpResponse(asset.body, content_type=content_type)
    return HttpResponse(asset.compressed, content_type=content_type, headers={"Content-Encoding": "gzip"})


urls = [
    path("widget/v1.js", loader, name="widget-loader"),
    path("widget/<slug:name>/<slug:stem>.js", file, name="widget-file"),
]

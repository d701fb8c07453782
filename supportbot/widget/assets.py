"""Serves the widget's files: `/widget/v1.js`, which pages load, and the files that it loads, whose URLs depend on their
content.

`make widget` bundles `frontend/src` into `dist`, whose files are served unchanged. The loader requests the other files
by their edition, which changes if any byte of them changes, so browsers may cache them forever. A page that still runs
an old loader gets the current panel, but does not cache it. Each process reads the files once.
"""

import gzip
import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit

from django.core.checks import CheckMessage, Error, register
from django.db import Error as AnyDatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from supportbot.accounts.channels import note_loader
from supportbot.accounts.origins import read_origin

DIST: Final = Path(__file__).with_name("dist")
_LOADER_CACHE: Final = "public, max-age=300, stale-while-revalidate=86400"
_EDITION_CACHE: Final = "public, max-age=31536000, immutable"
_NOTE_SECONDS: Final = 10.0
_MAX_NOTED: Final = 10_000
_noted: dict[str, float] = {}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, both uncompressed and compressed for browsers that accept that."""

    body: bytes
    compressed: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class Edition:
    """The current widget: the loader and, by name, the files that it loads."""

    name: str
    loader: Asset
    files: Mapping[str, Asset]


@register("widget")
def built_files(**_: Any) -> list[CheckMessage]:
    """Check that the bundle is complete. Otherwise, nobody would notice a missing file until a page requested it."""
    try:
        names = json.loads((DIST / "manifest.json").read_text(encoding="utf-8"))["files"]
        missing = [name for name in ("v1.js", *names) if not (DIST / name).is_file()]
    except (OSError, ValueError, KeyError):
        missing = ["manifest.json"]
    if not missing:
        return []
    text = f"The widget's bundle is incomplete: {', '.join(missing)} is missing in {DIST}."
    return [Error(text, hint="Restore the folder from the release, or run `make widget`.", id="widget.E001")]


@cache
def edition() -> Edition:
    """Return the built files. They are read and compressed once."""
    manifest = json.loads((DIST / "manifest.json").read_text(encoding="utf-8"))
    return Edition(manifest["edition"], _asset("v1.js"), {name: _asset(name) for name in manifest["files"]})


def _asset(name: str) -> Asset:
    body = (DIST / name).read_bytes()
    # With mtime 0, the compressed bytes are the same in every process.
    return Asset(body, gzip.compress(body, 9, mtime=0), f'"{hashlib.sha256(body).hexdigest()[:32]}"')


@require_safe
def loader(request: HttpRequest) -> HttpResponse:
    """Serve the script that a shop's pages include, and record the site that loaded it."""
    if (origin := read_origin(_site_of(request.headers.get("Referer", "")))) and _is_due(origin):
        with suppress(AnyDatabaseError):  # the script matters more than this record
            note_loader(origin)
    return _response(request, edition().loader, _LOADER_CACHE)


def _site_of(referer: str) -> str:
    """Return the origin of a URL, or ""."""
    with suppress(ValueError):  # brackets without an IPv6 address
        parts = urlsplit(referer)
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
    return ""


def _is_due(origin: str) -> bool:
    """Return whether to record the origin, because this process has not done so recently."""
    if len(_noted) > _MAX_NOTED:
        _noted.clear()
    last = _noted.get(origin)
    if last is not None and monotonic() - last < _NOTE_SECONDS:
        return False
    _noted[origin] = monotonic()
    return True


@require_safe
def file(request: HttpRequest, name: str, stem: str) -> HttpResponse:
    """Serve a file that the loader or the panel fetches when it first needs it. Raises Http404."""
    today = edition()
    asset = today.files.get(f"{stem}.js")
    if asset is None:
        raise Http404
    # A file cached under another edition's name would outlive the next edition.
    return _response(request, asset, _EDITION_CACHE if name == today.name else "no-store")


def _response(request: HttpRequest, asset: Asset, cache_control: str) -> HttpResponse:
    is_known = asset.etag in request.headers.get("If-None-Match", "")
    response = HttpResponse(status=304) if is_known else _content(request, asset)
    response.headers["Cache-Control"] = cache_control
    response.headers["ETag"] = asset.etag
    # The scripts are public, and browsers run modules from another origin only if the page may read them.
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

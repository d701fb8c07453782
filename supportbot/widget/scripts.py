"""The widget's files: `/widget/v1.js`, which pages load, and the modules behind it, addressed by their content.

The loader is written with the address of today's modules in it. That address is a hash of all of them, so they may be
kept for ever; a page that still runs yesterday's loader gets today's modules, but keeps nothing of them. Files are read
once per process. Comments stay in the repository: what a browser gets is the same source without them.
"""

import gzip
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

FOLDER: Final = Path(__file__).with_name("static") / "widget"
LOADER: Final = "v1.js"
# What the loader's source says in place of the address that it gets here.
_EDITION_IN_SOURCE: Final = b'"edition/"'
_TYPES: Final = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
_LOADER_CACHE: Final = "public, max-age=300, stale-while-revalidate=86400"
_MODULE_CACHE: Final = "public, max-age=31536000, immutable"
_COMMENT_IN_STYLES: Final = re.compile(r"/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True, slots=True)
class File:
    body: bytes
    packed: bytes
    content_type: str
    etag: str


@dataclass(frozen=True, slots=True)
class Edition:
    """All files of the widget as they are today; `name` changes with any of their bytes."""

    name: str
    loader: File
    modules: Mapping[str, File]


@cache
def edition() -> Edition:
    """Return the files, read and packed once."""
    slim = {str(file.relative_to(FOLDER)): _slim(file) for file in _sources()}
    loader = slim.pop(LOADER)
    digest = hashlib.sha256()
    for name, body in slim.items():
        digest.update(name.encode() + b"\0" + body + b"\0")
    name = digest.hexdigest()[:16]
    address = f'"{name}/"'.encode()
    modules = {name: _file(name, body) for name, body in slim.items()}
    return Edition(name, _file(LOADER, loader.replace(_EDITION_IN_SOURCE, address)), modules)


def _sources() -> Iterator[Path]:
    yield from sorted(file for file in FOLDER.rglob("*") if file.suffix in _TYPES)


def _file(name: str, body: bytes) -> File:
    # mtime 0: the same source has the same bytes, and so the same ETag, in every process.
    packed = gzip.compress(body, 9, mtime=0)
    return File(body, packed, _TYPES[Path(name).suffix], f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _slim(file: Path) -> bytes:
    text = file.read_text(encoding="utf-8")
    lines = _without_comments(text) if file.suffix == ".js" else _COMMENT_IN_STYLES.sub("", text).splitlines()
    return "".join(f"{line.strip()}\n" for line in lines if line.strip()).encode()


def _without_comments(script: str) -> Iterator[str]:
    """Leave out the lines that are comment and nothing else; no text of ours has a line that looks like one."""
    is_in_comment = False
    for line in script.splitlines():
        said = line.strip()
        is_in_comment = is_in_comment or said.startswith("/*")
        if not is_in_comment and not said.startswith("//"):
            yield line
        is_in_comment = is_in_comment and not said.endswith("*/")


@require_safe
def loader(request: HttpRequest) -> HttpResponse:
    """The one script that a shop's page names."""
    return _answer(request, edition().loader, _LOADER_CACHE)


@require_safe
def module(request: HttpRequest, name: str, file: str) -> HttpResponse:
    """A module or style sheet of an edition."""
    today = edition()
    if file not in today.modules:
        raise Http404(f"The widget has no file {file}.")
    # Kept under a name that is not today's, it would outlive the next edition in that page's cache.
    return _answer(request, today.modules[file], _MODULE_CACHE if name == today.name else "no-store")


def _answer(request: HttpRequest, file: File, cache_control: str) -> HttpResponse:
    is_known = file.etag in request.headers.get("If-None-Match", "")
    answer = HttpResponse(status=304) if is_known else _content(request, file)
    answer.headers["Cache-Control"] = cache_control
    answer.headers["ETag"] = file.etag
    # Scripts are public, and modules are only run across origins by pages that may read them.
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    patch_vary_headers(answer, ["Accept-Encoding"])
    return answer


def _content(request: HttpRequest, file: File) -> HttpResponse:
    if "gzip" not in request.headers.get("Accept-Encoding", ""):
        return HttpResponse(file.body, content_type=file.content_type)
    return HttpResponse(file.packed, content_type=file.content_type, headers={"Content-Encoding": "gzip"})


urls = [
    path("widget/v1.js", loader, name="widget-loader"),
    path("widget/<slug:name>/<path:file>", module, name="widget-module"),
]

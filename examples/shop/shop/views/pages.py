"""Files, health, and the errors for missing pages, for programs and people."""

import mimetypes
import re
from pathlib import Path

from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from shop.errors import NotFound
from shop.middleware import refused
from shop.views.decorators import only

# The pages' few files, read once: a name is looked up among these and never used as a path.
_FILES = {file.name: file.read_bytes() for file in (Path(__file__).parents[1] / "static").iterdir()}
_DRAWING = re.compile(r'<symbol id="([a-z]+)"(.*?)</symbol>', re.DOTALL)
_PICTURES = {
    name: f'<svg xmlns="http://www.w3.org/2000/svg"{drawing}</svg>'
    for name, drawing in _DRAWING.findall(_FILES["drawings.svg"].decode())
}
_FOR_PROGRAMS = ("/api/", "/merchant/", "/healthz", "/account/chat-token")


@only("GET")
def healthz(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok"})


@only("GET")
def static(request: HttpRequest, name: str) -> HttpResponse:
    if name not in _FILES:
        raise Http404
    return HttpResponse(_FILES[name], content_type=mimetypes.guess_type(name)[0])


@only("GET")
def picture(request: HttpRequest, name: str) -> HttpResponse:
    """Return one of the drawings as a separate picture."""
    if name not in _PICTURES:
        raise Http404
    return HttpResponse(_PICTURES[name], content_type="image/svg+xml")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(_FOR_PROGRAMS):
        return refused(NotFound("There is nothing at this address."))
    message = _("There is no such page in this shop.")
    return render(request, "shop/message.html", {"title": _("Not found"), "message": message}, status=404)


def stale_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    message = _(
        "Nothing was changed because the form is older than your sign-in. Go back, reload the page and send it again."
    )
    return render(request, "shop/message.html", {"title": _("Not sent"), "message": message}, status=403)


def server_error(request: HttpRequest) -> HttpResponse:
    """Respond without a template, since a template may need the part that failed."""
    if request.path.startswith(_FOR_PROGRAMS):
        return JsonResponse({"code": "server_error", "message": "The shop failed.", "fields": {}}, status=500)
    return HttpResponse("The shop failed. Its log says why.", status=500, content_type="text/plain; charset=utf-8")

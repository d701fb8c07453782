"""The way back for somebody whose log-in had ended when they sent a form."""

from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme


def log_in_again(request: HttpRequest, *, door: str, start: str) -> HttpResponseRedirect:
    """Lead to the log-in `door`, which says that nothing was saved, and from there to the page the form stood on.

    The form's own address may take nothing but forms. A browser that does not tell the page is led to `start`.
    """
    return HttpResponseRedirect(f"{door}?{urlencode({'next': _page_of(request) or start, 'lost': '1'})}")


def _page_of(request: HttpRequest) -> str:
    page = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(page, allowed_hosts={request.get_host()}):
        return ""
    parts = urlsplit(page)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path

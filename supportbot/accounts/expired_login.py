"""Redirects people whose login had expired by the time they submitted a form."""

from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme


def log_in_again(request: HttpRequest, *, login_page: str, start: str) -> HttpResponseRedirect:
    """Redirect to the login page, which says that nothing was saved. After logging in, the person returns to the form's
    page.

    That page is taken from the Referer header, since the form's own address may accept only POST. Without a usable
    header, the person goes to `start`.
    """
    return HttpResponseRedirect(f"{login_page}?{urlencode({'next': _page_of(request) or start, 'lost': '1'})}")


def _page_of(request: HttpRequest) -> str:
    page = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(page, allowed_hosts={request.get_host()}):
        return ""
    parts = urlsplit(page)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path

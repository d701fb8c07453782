"""The shop's own log-in. A demo asks for no password; what follows is what any shop does: a session on the server."""

from django.http import HttpRequest
from django.middleware.csrf import rotate_token

from shop.models import Customer

_KEY = "customer"


def signed_in(request: HttpRequest) -> Customer | None:
    """Return who is signed in on this browser, None for a visitor."""
    known = request.session.get(_KEY)
    return Customer.objects.filter(pk=known).first() if known else None


def sign_in(request: HttpRequest, customer: Customer) -> None:
    request.session.flush()  # nothing of whoever was here before
    request.session[_KEY] = customer.pk
    rotate_token(request)


def sign_out(request: HttpRequest) -> None:
    request.session.flush()

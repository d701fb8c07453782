"""The shop's own login. The demo needs no password; the rest is as in any shop: a session on the server."""

from django.http import HttpRequest
from django.middleware.csrf import rotate_token

from shop.models import Customer

_KEY = "customer"


def signed_in(request: HttpRequest) -> Customer | None:
    """Return the customer signed in on this browser, None for a visitor."""
    known = request.session.get(_KEY)
    return Customer.objects.filter(pk=known).first() if known else None


def sign_in(request: HttpRequest, customer: Customer) -> None:
    request.session.flush()  # nothing of the previous customer
    request.session[_KEY] = customer.pk
    rotate_token(request)


def sign_out(request: HttpRequest) -> None:
    request.session.flush()

"""Authenticates requests to the REST API.

`Authorization: Bearer` carries an API key (`sk_…`), a visitor's secret (`vs_…`), a hosted page's pass (`hp_…`) or an
identity token. A login session of the console or the desk also works. `request.auth` is the caller.
"""

from typing import Any, cast

import jwt
from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from supportbot.accounts import hosted_page_credentials
from supportbot.accounts.api_keys import staff_by_api_key
from supportbot.accounts.customers import customer_by_bearer_token, customer_by_visitor_secret
from supportbot.accounts.errors import InvalidToken
from supportbot.accounts.models import User
from supportbot.accounts.principals import Caller
from supportbot.accounts.rest.throttles import CallerThrottle  # noqa: F401  # the former path, for settings, until 0.3
from supportbot.accounts.staff_principals import staff_logged_in

WORKSPACE_SESSION_KEY = "workspace"


class BearerAuthentication(BaseAuthentication):
    """Reads `Authorization: Bearer …`. An invalid credential is refused, and never treated as if it were missing."""

    def authenticate(self, request: Request) -> tuple[Any, Caller] | None:
        scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        return caller_of_bearer(credential.strip())

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def caller_of_bearer(credential: str) -> tuple[Any, Caller]:
    """Return the user and the caller for a bearer credential. Raises an AccountsError that names the problem."""
    if credential.startswith("sk_"):
        staff, user = staff_by_api_key(credential)
        return user or AnonymousUser(), staff
    if credential.startswith("vs_"):
        return AnonymousUser(), customer_by_visitor_secret(credential)
    if credential.startswith(hosted_page_credentials.PREFIX):
        return AnonymousUser(), hosted_page_credentials.caller_of_page_pass(credential)
    return AnonymousUser(), customer_by_bearer_token(credential, audience_of(credential))


def audience_of(token: str) -> str:
    """Return the audience that an identity token names, without verifying it; "" if it names none. Raises InvalidToken
    if the text is not a token.
    """
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise InvalidToken("This is neither an API key, a visitor's secret nor an identity token.") from error
    audience = claims.get("aud")
    return audience if isinstance(audience, str) else ""


class StaffSessionAuthentication(SessionAuthentication):
    """A login session of the console or the desk, with Django's CSRF check."""

    def authenticate(self, request: Request) -> tuple[Any, Caller] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        user = cast(User, found[0])
        staff = staff_logged_in(user, request.session.get(WORKSPACE_SESSION_KEY))
        return (user, staff) if staff else None

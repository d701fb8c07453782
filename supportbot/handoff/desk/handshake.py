"""Who opens a desk socket: the browser's own log-in to the desk, from a page of this installation."""

from collections.abc import Iterable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest

from supportbot.accounts.auth import WORKSPACE_SESSION_KEY
from supportbot.accounts.callers import Staff
from supportbot.accounts.models import User
from supportbot.accounts.origins import own_origins, read_origin
from supportbot.accounts.selectors import staff_logged_in
from supportbot.handoff.errors import ForeignPage, NotLoggedIn

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Agent:
    """A person at the desk, as their log-in says right now."""

    staff: Staff
    user: User


def check_origin(headers: Headers) -> None:
    """Raise ForeignPage unless a page of this installation opens the socket: any page's request carries the cookie."""
    origin = read_origin(dict(headers).get(b"origin", b"").decode("latin-1"))
    if origin is None or origin not in own_origins():
        raise ForeignPage()


def session_key_of(headers: Headers) -> str:
    """Return the key of the browser's session, empty without one."""
    cookies = SimpleCookie()
    try:
        cookies.load(dict(headers).get(b"cookie", b"").decode("latin-1"))
    except CookieError:
        return ""
    found = cookies.get(settings.SESSION_COOKIE_NAME)
    return found.value if found else ""


def agent_of(session_key: str) -> Agent:
    """Return the person of a log-in who may work at the desk; raises NotLoggedIn."""
    request = HttpRequest()
    request.session = SessionStore(session_key or None)
    user = get_user(request)
    if not isinstance(user, User):
        raise NotLoggedIn()
    staff = staff_logged_in(user, request.session.get(WORKSPACE_SESSION_KEY))
    if staff is None or not may_enter(staff):
        raise NotLoggedIn()
    return Agent(staff, user)


def may_enter(staff: Staff) -> bool:
    return staff.may("tickets:read") and staff.may("conversations:read")

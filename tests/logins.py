"""Logging people in with one statement. Django's test client takes fourteen: it stores a visitor's session, replaces
it, and notes the time of the login.
"""

from importlib import import_module

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import VALID_KEY_CHARS
from django.http import HttpRequest
from django.test import Client
from django.utils.crypto import get_random_string

from supportbot.accounts.models import User


def log_in_quickly() -> None:
    """Let `force_login` store only the session of the person."""
    Client.force_login = _force_login  # type: ignore[method-assign,assignment]  # a narrower signature


def _force_login(client: Client, user: User) -> None:
    session = import_module(settings.SESSION_ENGINE).SessionStore(get_random_string(32, VALID_KEY_CHARS))
    facts = {
        SESSION_KEY: str(user.pk),
        BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
        HASH_SESSION_KEY: user.get_session_auth_hash(),
    }
    session._session_cache = facts  # otherwise, it would look for the row
    session.create_model_instance(facts).save(force_insert=True)
    request = HttpRequest()
    request.session = session
    client._set_login_cookies(request)  # type: ignore[attr-defined]  # private to Django

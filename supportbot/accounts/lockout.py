"""Locks logins to the desk and the console: after ten wrong passwords, a user name is locked for one IP address.

Other people at that address, and the same person elsewhere, are not affected, so nobody can lock out a colleague
remotely.
"""

import hashlib
from typing import TYPE_CHECKING, Any, Final

from django.contrib.auth.forms import AuthenticationForm
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from rest_framework.throttling import BaseThrottle
from unfold.forms import AuthenticationForm as ConsoleForm

from supportbot.rate_counters import CACHE_AWAY, count

if TYPE_CHECKING:
    _Form = AuthenticationForm
else:
    _Form = object

MAX_WRONG: Final = 10
LOCKED_SECONDS: Final = 15 * 60
LOCKED_MESSAGE: Final = _(
    "Too many wrong passwords. This user name is locked for 15 minutes from your address, even with the right "
    "password. Wait, or ask an administrator for a new password."
)


class LockoutMixin(_Form):
    """A login form that refuses even the right password while the user name is locked for this IP address."""

    is_locked = False
    error_messages = {
        "invalid_login": _("Wrong user name or password. Both are case-sensitive."),
        "inactive": _("This account is deactivated. Ask an administrator of the workspace."),
    }

    def clean(self) -> dict[str, Any]:
        username = self.cleaned_data.get("username")
        if not username or self.request is None:
            return super().clean()
        pair = _pair(username, self.request)
        # Count before checking the password, so simultaneous attempts cannot exceed the limit.
        if _is_locked(pair) or (tried := count(f"log-in:{pair}", seconds=LOCKED_SECONDS)) > MAX_WRONG:
            raise self._locked()
        try:
            cleaned = super().clean()
        except ValidationError as error:
            if tried < MAX_WRONG:
                raise
            _lock(pair)
            raise self._locked() from error
        _forget(pair)
        return cleaned

    def _locked(self) -> ValidationError:
        self.is_locked = True
        return ValidationError(LOCKED_MESSAGE, code="locked")


class DeskLogIn(LockoutMixin, AuthenticationForm):
    pass


class ConsoleLogIn(LockoutMixin, ConsoleForm):  # type: ignore[misc]  # the theme is untyped
    pass


def _pair(username: str, request: HttpRequest) -> str:
    address = BaseThrottle().get_ident(request)  # type: ignore[arg-type]  # reads META only
    return hashlib.sha256(f"{username}\n{address}".encode()).hexdigest()


def _is_locked(pair: str) -> bool:
    try:
        return cache.get(f"locked:{pair}") is not None
    except CACHE_AWAY:
        return False


def _lock(pair: str) -> None:
    try:
        cache.set(f"locked:{pair}", True, timeout=LOCKED_SECONDS)
    except CACHE_AWAY:
        return


def _forget(pair: str) -> None:
    try:
        cache.delete(f"log-in:{pair}")
    except CACHE_AWAY:
        return

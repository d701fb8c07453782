"""Creates the first administrator of an empty installation, through a link that only the operator can create.

Invariant: while an administrator exists, no link works. A link has 256 random bits, is stored hashed, and works once.
"""

import secrets
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext

from supportbot.accounts.errors import AlreadySetUp, InvalidSetupLink, NameTaken
from supportbot.accounts.models import Membership, SetupLink, User, hash_secret
from supportbot.accounts.people import check_person
from supportbot.errors import InvalidInput

TOKEN_BYTES: Final = 32
LIFETIME: Final = timedelta(days=3)  # as long as password links are valid


def has_administrator() -> bool:
    """Return whether this installation or one of its workspaces has an administrator, active or not."""
    is_administrator = Q(is_superuser=True) | Q(memberships__role=Membership.Role.ADMIN)
    return User.objects.filter(is_administrator).exists()


def make_link() -> str:
    """Return a URL that creates the first administrator, replacing any earlier one. Raises AlreadySetUp."""
    if has_administrator():
        raise AlreadySetUp()
    token = secrets.token_urlsafe(TOKEN_BYTES)
    SetupLink.objects.update_or_create(pk=1, defaults={"token_hash": hash_secret(token), "created_at": now()})
    return f"{settings.BASE_URL}{reverse('setup', args=[token])}"


def check_link(token: str) -> None:
    """Raise InvalidSetupLink unless this link would create an administrator now."""
    is_current = SetupLink.objects.filter(token_hash=hash_secret(token), created_at__gt=now() - LIFETIME).exists()
    if not is_current or has_administrator():
        raise InvalidSetupLink()


@transaction.atomic
def create_first_administrator(token: str, *, name: str, email: str, password: str) -> User:
    """Create the first administrator, whose user name is their address, and use up the link.

    Raises InvalidSetupLink, or InvalidInput for an invalid name, address or password.
    """
    # The lock makes a second use wait until the first has deleted the row.
    list(SetupLink.objects.select_for_update().values_list("pk"))
    check_link(token)
    first, _, last = name.strip().partition(" ")
    user = User(username=email, email=email, first_name=first, last_name=last, is_staff=True, is_superuser=True)
    check_person(user.username, email, name)
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput(fields={"password": list(error.messages)}) from error
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError as error:
        raise NameTaken(fields={"email": [gettext("Already taken.")]}) from error
    SetupLink.objects.all().delete()
    return user

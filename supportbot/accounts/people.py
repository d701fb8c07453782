"""The people who work here: how one is added."""

from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from supportbot.accounts.errors import NameTaken
from supportbot.accounts.models import User, Workspace
from supportbot.accounts.services import add_member
from supportbot.errors import InvalidInput


@transaction.atomic
def create_person(
    workspace: Workspace, username: str, *, role: str, password: str, name: str = "", email: str = ""
) -> User:
    """Create a person and their role; raises NameTaken, or InvalidInput for a name, address or role that cannot be.

    Everybody may open the console's log-in, which is the desk's too; what they see there follows from their role.
    """
    _check(username, email)
    first, _, last = name.strip().partition(" ")
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                username,
                email,
                password,
                first_name=first,
                last_name=last,
                is_staff=True,
            )
    except IntegrityError as error:
        message = f"There is already a person with the user name {username}."
        raise NameTaken(message, fields={"username": ["Already taken."]}) from error
    add_member(workspace, user, role)
    return user


def _check(username: str, email: str) -> None:
    problems: dict[str, list[str]] = {}
    try:
        UnicodeUsernameValidator()(username)
    except ValidationError as error:
        problems["username"] = list(error.messages)
    try:
        if email:
            validate_email(email)
    except ValidationError as error:
        problems["email"] = list(error.messages)
    if len(username) > 150:
        problems["username"] = ["At most 150 characters."]
    if problems:
        raise InvalidInput(fields=problems)

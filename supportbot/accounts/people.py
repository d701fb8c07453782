"""The people who work here: how one is added, and called otherwise."""

from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from supportbot.accounts.errors import NameTaken
from supportbot.accounts.models import Membership, User, Workspace
from supportbot.accounts.services import add_member
from supportbot.errors import InvalidInput, NotAllowed


@transaction.atomic
def create_person(
    workspace: Workspace, username: str, *, role: str, password: str, name: str = "", email: str = ""
) -> User:
    """Create a person and their role; raises NameTaken, or InvalidInput for a name, address or role that cannot be.

    Everybody may open the console's log-in, which is the desk's too; what they see there follows from their role.
    """
    _check(username, email, name)
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
        message = f"There is already a person with the user name {username}: member_add gives them a role."
        raise NameTaken(message, fields={"username": ["Already taken."]}) from error
    add_member(workspace, user, role)
    return user


def let_in(workspace: Workspace, username: str, *, role: str) -> Membership:
    """Give somebody who has an account a role; raises InvalidInput where nobody has that user name."""
    person = User.objects.filter(username=username).first()
    if person is None:
        raise InvalidInput(fields={"username": ["Nobody has this user name: user_create makes an account."]})
    return add_member(workspace, person, role)


def works_only_here(person: User) -> bool:
    """Say whether a workspace may change this account: who sets its address can have a new password sent there."""
    return not person.is_superuser and Membership.objects.filter(user=person).count() == 1


def change_person(person: User, *, name: str, email: str) -> None:
    """Change how a person is called and where their mail goes.

    Raises NotAllowed for an account of more than one workspace, InvalidInput for a name or address that cannot be.
    """
    if not works_only_here(person):
        raise NotAllowed("This account is not this workspace's alone: it is not changed from here.")
    _check(person.username, email, name)
    person.first_name, _, person.last_name = name.strip().partition(" ")
    person.email = email
    person.save(update_fields=["first_name", "last_name", "email"])


def _check(username: str, email: str, name: str) -> None:
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
    for field, text, limit in (("username", username, 150), ("name", name.strip(), 150), ("email", email, 254)):
        if len(text) > limit:
            problems[field] = [f"At most {limit} characters."]
    if problems:
        raise InvalidInput(fields=problems)

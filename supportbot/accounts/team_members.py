"""Team members: creating, adding, changing and removing them, and their roles."""

from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from supportbot.accounts.api_keys import revoke_api_key
from supportbot.accounts.errors import NameTaken
from supportbot.accounts.models import ApiKey, Membership, User, Workspace
from supportbot.accounts.ports import person_in_records, record_change
from supportbot.accounts.scope import workspace_scope
from supportbot.errors import InvalidInput, NotAllowed


@transaction.atomic
def create_person(
    workspace: Workspace,
    username: str,
    *,
    role: str,
    password: str,
    name: str = "",
    email: str = "",
    actor: str = "",
) -> User:
    """Create a person with a role. Raises NameTaken, or InvalidInput for an invalid name, address or role.

    Everyone can log in to the console and the desk; the role decides what they see there.
    """
    check_person(username, email, name)
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
        message = gettext("The user name {username} already exists. Use member_add to give that person a role.").format(
            username=username
        )
        raise NameTaken(message, fields={"username": [gettext("Already taken.")]}) from error
    add_member(workspace, user, role, actor=actor)
    return user


def add_existing_person(workspace: Workspace, username: str, *, role: str, actor: str = "") -> Membership:
    """Give a role to a person who already has an account. Raises InvalidInput if there is no such user name."""
    person = User.objects.filter(username=username).first()
    if person is None:
        raise InvalidInput(
            fields={"username": [gettext("No account has this user name. Use user_create to create one.")]}
        )
    return add_member(workspace, person, role, actor=actor)


def works_only_here(person: User) -> bool:
    """Return whether a workspace may change this account and its address (links for setting a new password are sent
    there).
    """
    return not person.is_superuser and Membership.objects.filter(user=person).count() == 1


@transaction.atomic
def change_person(person: User, *, name: str, email: str, actor: str = "") -> None:
    """Change a person's name and e-mail address, and record in the current workspace's audit trail which of them
    changed.

    Raises NotAllowed if the account also belongs to other workspaces, and InvalidInput for an invalid name or address.
    """
    if not works_only_here(person):
        raise NotAllowed(gettext("This account belongs to other workspaces too, so it cannot be changed here."))
    check_person(person.username, email, name)
    before = {"name": person.get_full_name(), "email": person.email}
    person.first_name, _, person.last_name = name.strip().partition(" ")
    person.email = email
    person.save(update_fields=["first_name", "last_name", "email"])
    after = {"name": person.get_full_name(), "email": person.email}
    if fields := " ".join(field for field in after if after[field] != before[field]):
        record_change("member.changed", actor=actor, person=person_in_records(person), fields=fields)


def check_person(username: str, email: str, name: str) -> None:
    """Raise InvalidInput for a user name, an address or a name that an account cannot have."""
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
            problems[field] = [gettext("At most {limit} characters.").format(limit=limit)]
    if problems:
        raise InvalidInput(fields=problems)


@transaction.atomic
def add_member(workspace: Workspace, user: User, role: str, *, actor: str = "") -> Membership:
    """Give a person a role, replacing any previous one. Raises InvalidInput if no admin would be left."""
    if role not in Membership.Role.values:
        raise InvalidInput(
            fields={"role": [gettext("Choose one of {choices}.").format(choices=", ".join(Membership.Role.values))]}
        )
    previous = Membership.objects.filter(workspace=workspace, user=user).first()
    before = previous.role if previous else None
    if previous:
        _keep_an_admin(previous, becomes=role)
    membership, _ = Membership.objects.update_or_create(workspace=workspace, user=user, defaults={"role": role})
    if before != role:
        changed = {"before": before} if before else {}
        event = "member.role_changed" if before else "member.added"
        with workspace_scope(workspace.pk):
            record_change(event, actor=actor, person=person_in_records(user), role=role, **changed)
    return membership


@transaction.atomic
def remove_member(membership: Membership, *, actor: str = "") -> None:
    """End a person's role in a workspace. Their account stays. Raises InvalidInput if no admin would be left.

    Keys that act as this person are revoked; otherwise, they would become valid again if the person came back.
    """
    _keep_an_admin(membership, becomes="")
    with workspace_scope(membership.workspace_id):
        for prefix in ApiKey.objects.filter(user=membership.user, revoked_at=None).values_list("prefix", flat=True):
            revoke_api_key(prefix, actor=actor)
        record_change("member.removed", actor=actor, person=person_in_records(membership.user), role=membership.role)
    membership.delete()


def _keep_an_admin(membership: Membership, *, becomes: str) -> None:
    """Raise InvalidInput if the workspace would be left without an admin.

    The admins' rows stay locked until the transaction ends, because two admins may demote each other at the same time.
    """
    here = Membership.objects.filter(workspace_id=membership.workspace_id, role=Membership.Role.ADMIN)
    admins = here.filter(user__is_active=True).select_for_update(no_key=True, of=("self",)).order_by("pk")
    is_last = list(admins.values_list("pk", flat=True)) == [membership.pk]
    if is_last and becomes != Membership.Role.ADMIN:
        raise InvalidInput(gettext("This is the workspace's only admin. Make someone else an admin first."))

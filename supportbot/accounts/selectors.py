"""Look-ups by key or secret, before the workspace is known, and look-ups of customers by id."""

from dataclasses import replace
from datetime import timedelta
from hmac import compare_digest
from typing import Final
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext

from supportbot.accounts.customers import customer_for_identity
from supportbot.accounts.errors import InvalidKey, InvalidToken, InvalidVisitor
from supportbot.accounts.hosted_page_credentials import PREFIX, caller_of_page_pass
from supportbot.accounts.identity import verify_identity
from supportbot.accounts.models import ApiKey, Channel, Customer, Membership, User, Workspace, hash_secret
from supportbot.accounts.principals import ROLE_SCOPES, CustomerCaller, Staff
from supportbot.accounts.scope import across_workspaces, current_workspace_id
from supportbot.errors import NotFound
from supportbot.team_language import team_language

LAST_USED_RESOLUTION: Final = timedelta(minutes=1)


def channel_by_key(key: str) -> Channel | None:
    """Return the live channel with this public key."""
    if not key.isprintable():  # PostgreSQL accepts neither NUL nor lone surrogates
        return None
    with across_workspaces("look-up by channel key"):
        return Channel.objects.select_related("workspace").filter(key=key, is_live=True).first()


def staff_by_api_key(plain: str) -> tuple[Staff, User | None]:
    """Return the caller for an API key; raises InvalidKey if the key is unknown, expired or revoked."""
    staff, key = staff_and_key(plain)
    return staff, key.user


def staff_and_key(plain: str) -> tuple[Staff, ApiKey]:
    """Return the caller for an API key, and the key itself; raises InvalidKey if it is unknown, expired or revoked."""
    prefix = "_".join(plain.split("_")[:2])
    if not plain.isprintable():  # PostgreSQL accepts neither NUL nor lone surrogates
        raise InvalidKey()
    with across_workspaces("look-up by API key"):
        key = ApiKey.objects.select_related("user").filter(prefix=prefix).first()
        if key is None or not compare_digest(key.key_hash, hash_secret(plain)) or not key.is_live:
            raise InvalidKey()
        if key.user is None:
            staff = Staff(key.workspace_pk, None, key.name, None, frozenset(key.scopes), key.pk)
        else:
            staff = _narrowed(staff_of(key.user, key.workspace_pk), key)
        _touch(key)
        return staff, key


def _narrowed(person: Staff | None, key: ApiKey) -> Staff:
    if person is None:  # the person left the workspace, which ends their keys
        raise InvalidKey()
    return replace(person, scopes=person.scopes & set(key.scopes), key_id=key.pk)


def _touch(key: ApiKey) -> None:
    now = timezone.now()
    if key.last_used_at is None or now - key.last_used_at > LAST_USED_RESOLUTION:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)


def staff_of(user: User, workspace_id: UUID | str | None = None) -> Staff | None:
    """Return the person in a workspace (by default, their first); None if they are not a member of any."""
    if not user.is_active:
        return None
    memberships = Membership.objects.filter(user=user).order_by("id")
    if workspace_id is not None:
        memberships = memberships.filter(workspace_id=workspace_id)
    membership = memberships.first()
    if membership is None:
        return None
    return Staff(membership.workspace_id, user.pk, user.display_name, membership.role, ROLE_SCOPES[membership.role])


def staff_logged_in(user: User, chosen: str | None) -> Staff | None:
    """Return the logged-in person in the chosen workspace, or in another one if they have left it."""
    return (staff_of(user, chosen) if chosen else None) or staff_of(user)


def people_who_may(scope: str) -> set[UUID]:
    """Return the people whose role in the current workspace grants an API scope."""
    roles = [role for role, scopes in ROLE_SCOPES.items() if scope in scopes]
    members = Membership.objects.filter(workspace_id=current_workspace_id(), role__in=roles)
    return set(members.values_list("user_id", flat=True))


def customer_named(name: str) -> Customer:
    """Return a customer of the current workspace by our id or the merchant's; raises NotFound."""
    try:
        wanted = Q(pk=UUID(name)) | Q(external_id=name)
    except ValueError:
        wanted = Q(external_id=without_nul(name))
    customer: Customer | None = Customer.objects.filter(wanted).order_by("pk").first()
    if customer is None:
        raise NotFound(gettext("There is no customer {name} in this workspace.").format(name=name))
    return customer


def without_nul(text: str) -> str:
    """Return the search text without NUL. PostgreSQL refuses queries with NUL, and no row can contain it."""
    return text.replace("\0", "�")


def customer_by_visitor_secret(secret: str) -> CustomerCaller:
    """Return the anonymous customer with this visitor secret; raises InvalidVisitor."""
    with across_workspaces("look-up by visitor secret"):
        customer = Customer.objects.filter(visitor_hash=hash_secret(secret)).first()
    if customer is None:
        raise InvalidVisitor()
    return CustomerCaller(customer.workspace_pk, customer.pk, is_verified=False)


def customer_by_token(channel: Channel, token: str) -> CustomerCaller:
    """Return the customer of a valid identity token or page pass for this channel; raises InvalidToken."""
    if token.startswith(PREFIX):
        return _by_page_pass(channel, token)
    identity = verify_identity(channel, token)
    customer = customer_for_identity(channel, identity)
    return CustomerCaller(
        channel.workspace_pk, customer.pk, is_verified=True, channel_id=channel.pk, expires_at=identity.expires_at
    )


def _by_page_pass(channel: Channel, text: str) -> CustomerCaller:
    caller = caller_of_page_pass(text)
    if caller.channel_id != channel.pk:
        raise InvalidToken("The page pass is for another channel.")
    return caller


def customer_by_bearer_token(token: str, audience: str) -> CustomerCaller:
    """Like `customer_by_token`, with the channel taken from the token's unverified audience."""
    channel = channel_by_key(audience)
    if channel is None:
        raise InvalidToken("The identity token is for another audience. `aud` must be the channel's key.")
    return customer_by_token(channel, token)


def stored_language(workspace_id: UUID) -> str:
    """Return the language of the sentences that workers store for the whole team: the workspace's, or else English."""
    return team_language(Workspace.objects.values_list("locale", flat=True).get(pk=workspace_id)[:2])

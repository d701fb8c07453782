"""Look-ups that start from a key or a secret, before any workspace is known."""

from datetime import timedelta
from hmac import compare_digest
from typing import Final
from uuid import UUID

from django.utils import timezone

from supportbot.accounts.errors import InvalidKey, InvalidToken, InvalidVisitor
from supportbot.accounts.identity import verify_identity
from supportbot.accounts.models import ApiKey, Channel, Customer, Membership, User, hash_secret
from supportbot.accounts.pagepass import PREFIX, caller_of_page_pass
from supportbot.accounts.principals import ROLE_SCOPES, CustomerCaller, Staff
from supportbot.accounts.scope import across_workspaces, current_workspace_id
from supportbot.accounts.services import customer_for_identity

LAST_USED_RESOLUTION: Final = timedelta(minutes=1)


def channel_by_key(key: str) -> Channel | None:
    """Return the live channel of a public key."""
    if not key.isprintable():  # NUL and half surrogates cannot even be asked for
        return None
    with across_workspaces("look-up by channel key"):
        return Channel.objects.select_related("workspace").filter(key=key, is_live=True).first()


def staff_by_api_key(plain: str) -> tuple[Staff, User | None]:
    """Return who a program's key acts as; raises InvalidKey for an unknown, expired or revoked one."""
    prefix = "_".join(plain.split("_")[:2])
    if not plain.isprintable():  # as above
        raise InvalidKey()
    with across_workspaces("look-up by API key"):
        key = ApiKey.objects.select_related("user").filter(prefix=prefix).first()
        if key is None or not compare_digest(key.key_hash, hash_secret(plain)) or not key.is_live:
            raise InvalidKey()
        if key.user is None:
            staff = Staff(key.workspace_pk, None, key.name, None, frozenset(key.scopes))
        else:
            staff = _narrowed(staff_of(key.user, key.workspace_pk), key)
        _touch(key)
        return staff, key.user


def _narrowed(person: Staff | None, key: ApiKey) -> Staff:
    if person is None:  # the person left the workspace: their keys went with them
        raise InvalidKey()
    return Staff(person.workspace_id, person.user_id, person.name, person.role, person.scopes & set(key.scopes))


def _touch(key: ApiKey) -> None:
    now = timezone.now()
    if key.last_used_at is None or now - key.last_used_at > LAST_USED_RESOLUTION:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)


def staff_of(user: User, workspace_id: UUID | str | None = None) -> Staff | None:
    """Return the person in a workspace (their only or first one, unless named); None for one who works nowhere."""
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
    """Return the person of a log-in in the workspace it has chosen; who has left that one is not shut out of others."""
    return (staff_of(user, chosen) if chosen else None) or staff_of(user)


def people_who_may(scope: str) -> set[UUID]:
    """Return the people whose role in the scope's workspace grants an API scope."""
    roles = [role for role, scopes in ROLE_SCOPES.items() if scope in scopes]
    members = Membership.objects.filter(workspace_id=current_workspace_id(), role__in=roles)
    return set(members.values_list("user_id", flat=True))


def customer_by_visitor_secret(secret: str) -> CustomerCaller:
    """Return the anonymous customer of a visitor's secret; raises InvalidVisitor."""
    with across_workspaces("look-up by visitor secret"):
        customer = Customer.objects.filter(visitor_hash=hash_secret(secret)).first()
    if customer is None:
        raise InvalidVisitor()
    return CustomerCaller(customer.workspace_pk, customer.pk, is_verified=False)


def customer_by_token(channel: Channel, token: str) -> CustomerCaller:
    """Return the customer of a valid identity token, or of a page's pass on this channel; raises InvalidToken."""
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
        raise InvalidToken("This page's pass is for another channel.")
    return caller


def customer_by_bearer_token(token: str, audience: str) -> CustomerCaller:
    """As `customer_by_token`, where only the token's own unverified audience says which channel's keys to ask."""
    channel = channel_by_key(audience)
    if channel is None:
        raise InvalidToken("The identity token is for another audience: `aud` must be the channel's key.")
    return customer_by_token(channel, token)

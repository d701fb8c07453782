"""Changes to workspaces, channels, keys and customers."""

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv6Address
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils.text import slugify
from django.utils.timezone import now
from django.utils.translation import gettext

from supportbot.accounts.branding import LOCALE
from supportbot.accounts.errors import NameTaken, NoSuchKey
from supportbot.accounts.identity import Identity
from supportbot.accounts.models import (
    ApiKey,
    Channel,
    Customer,
    IdentityKey,
    Membership,
    User,
    Workspace,
    hash_secret,
)
from supportbot.accounts.ports import person_in_records, record_change
from supportbot.accounts.principals import SCOPES
from supportbot.accounts.scope import workspace_scope
from supportbot.errors import InvalidInput

MAX_HOST_CHARACTERS: Final = 253
MAX_PORT: Final = 65_535
CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
# An origin in the form that browsers send: an ASCII host name (others as xn--…) or an IP address; no user, wildcard or
# path.
_ORIGIN: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(?P<port>[1-9][0-9]{0,4}))?/?",
    re.ASCII | re.IGNORECASE,
)
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NewChannel:
    """A channel and the secret that signs its customers' identities; the secret is shown only once."""

    channel: Channel
    identity_secret: str


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key's row and its plain text, which is shown only once."""

    row: ApiKey
    plain: str


@dataclass(frozen=True, slots=True)
class NewVisitor:
    """An anonymous customer and the secret that identifies them on later visits."""

    customer: Customer
    secret: str


def create_workspace(name: str, *, slug: str = "", locale: str = "en", currency: str = "EUR", **more: str) -> Workspace:
    """Create a workspace; raises NameTaken if its slug exists, InvalidInput for an invalid language or currency.

    `more` are further fields of the workspace: timezone, site_url, accent.
    """
    slug = slug or slugify(name)
    if not slug:
        raise InvalidInput(fields={"slug": [gettext("Use a slug of letters, digits and hyphens.")]})
    check_locale(locale)
    if not CURRENCY.fullmatch(currency):
        raise InvalidInput(fields={"currency": [gettext("Use a currency code of three capital letters, such as EUR.")]})
    workspace = Workspace(name=name.strip(), slug=slug, locale=locale, currency=currency, **more)
    check_fields(workspace)
    try:
        with transaction.atomic():
            workspace.save(force_insert=True)
    except IntegrityError as error:
        raise NameTaken(
            gettext("The workspace {slug} already exists.").format(slug=slug),
            fields={"slug": [gettext("Already taken.")]},
        ) from error
    return workspace


@transaction.atomic
def change_workspace(workspace_id: UUID, **changes: str) -> Workspace:
    """Change a workspace's name, language, colour or links; raises InvalidInput naming the field."""
    workspace = Workspace.objects.select_for_update(no_key=True).get(pk=workspace_id)
    if "locale" in changes:
        check_locale(changes["locale"])
    for field, value in changes.items():
        setattr(workspace, field, value)
    check_fields(workspace)
    workspace.save(update_fields=list(changes))
    return workspace


def check_locale(locale: str) -> None:
    """Raise InvalidInput unless `locale` is a language code."""
    if not LOCALE.fullmatch(locale):
        raise InvalidInput(fields={"locale": [gettext("Use a language code such as en, de or pt-br.")]})


def check_fields(row: Model) -> None:
    """Raise InvalidInput for a value that does not fit its column, before the database refuses it."""
    try:
        row.clean_fields()
    except ValidationError as error:
        raise InvalidInput(fields=error.message_dict) from error


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
    """End a person's role in a workspace, and revoke the keys that act as them, which would otherwise be valid again if
    they came back. Their account stays. Raises InvalidInput if no admin would be left.
    """
    _keep_an_admin(membership, becomes="")
    with workspace_scope(membership.workspace_id):
        for prefix in ApiKey.objects.filter(user=membership.user, revoked_at=None).values_list("prefix", flat=True):
            revoke_api_key(prefix, actor=actor)
        record_change("member.removed", actor=actor, person=person_in_records(membership.user), role=membership.role)
    membership.delete()


def _keep_an_admin(membership: Membership, *, becomes: str) -> None:
    """Raise InvalidInput if the workspace would be left without an admin.

    The admins' rows stay locked until the transaction ends, because two of them may demote each other at once.
    """
    here = Membership.objects.filter(workspace_id=membership.workspace_id, role=Membership.Role.ADMIN)
    admins = here.filter(user__is_active=True).select_for_update(no_key=True, of=("self",)).order_by("pk")
    is_last = list(admins.values_list("pk", flat=True)) == [membership.pk]
    if is_last and becomes != Membership.Role.ADMIN:
        raise InvalidInput(gettext("This is the workspace's only admin. Make someone else an admin first."))


@transaction.atomic
def create_channel(
    workspace: Workspace,
    name: str,
    *,
    allowed_origins: Iterable[str] = (),
    locale: str = "",
    greeting: str = "",
    identity_secret: str = "",
    actor: str = "",
    **branding: Any,
) -> NewChannel:
    """Create a channel with one HS256 identity key; the secret is generated unless given (at least 32 characters).

    `branding` are further fields of the channel: greetings, suggestions, assistant_name, accent, privacy_url and so on.
    """
    secret = identity_secret or secrets.token_urlsafe(48)
    if len(secret) < 32:
        raise InvalidInput(fields={"identity_secret": [gettext("A signing secret must have at least 32 characters.")]})
    locale = locale or workspace.locale
    check_locale(locale)
    with workspace_scope(workspace.pk):
        channel = Channel(
            key=f"pk_{secrets.token_hex(12)}",
            name=name.strip(),
            allowed_origins=clean_origins(allowed_origins),
            locale=locale,
            greeting=greeting,
            **branding,
        )
        check_fields(channel)
        channel.save(force_insert=True)
        IdentityKey.objects.create(
            channel=channel, kid="1", algorithm=IdentityKey.Algorithm.HS256, secret=secret, public_key=""
        )
        record_change("channel.created", actor=actor, channel=channel.key, name=channel.name)
    return NewChannel(channel, secret)


def clean_origins(origins: Iterable[str]) -> list[str]:
    """Return each origin once, in its canonical form."""
    return list(dict.fromkeys(clean_origin(origin) for origin in origins))


def clean_origin(origin: str) -> str:
    """Return scheme://host[:port] in lower case; raises InvalidInput for anything that is not exactly an origin."""
    parts = _ORIGIN.fullmatch(origin.strip())
    if parts is None or not _is_host(parts["host"]) or int(parts["port"] or 0) > MAX_PORT:
        raise InvalidInput(
            fields={
                "allowed_origins": [
                    gettext("“{origin}” is not an origin such as https://shop.example.").format(origin=origin)
                ]
            }
        )
    scheme, port = parts["scheme"].lower(), int(parts["port"] or 0)
    default = {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{parts['host'].lower()}" + (f":{port}" if port and port != default else "")


def _is_host(host: str) -> bool:
    if host.startswith("["):
        try:
            IPv6Address(host[1:-1])
        except ValueError:
            return False
        return "%" not in host  # a zone id is only meaningful on this machine
    return len(host) <= MAX_HOST_CHARACTERS and _HOST.fullmatch(host) is not None


@transaction.atomic
def issue_api_key(
    workspace: Workspace,
    name: str,
    *,
    scopes: Sequence[str],
    user: User | None = None,
    expires_at: datetime | None = None,
    actor: str = "",
) -> NewApiKey:
    """Issue a key with these scopes, acting as `user` if given; raises InvalidInput for an unknown scope."""
    unknown = sorted(set(scopes) - SCOPES)
    if unknown or not scopes:
        raise InvalidInput(
            fields={"scopes": [gettext("Choose from {choices}.").format(choices=", ".join(sorted(SCOPES)))]}
        )
    prefix = f"sk_{secrets.token_hex(4)}"
    plain = f"{prefix}_{secrets.token_urlsafe(32)}"
    with workspace_scope(workspace.pk):
        row = ApiKey(
            prefix=prefix,
            key_hash=hash_secret(plain),
            name=name.strip(),
            scopes=sorted(set(scopes)),
            user=user,
            expires_at=expires_at,
        )
        check_fields(row)
        row.save(force_insert=True)
        scopes_in_words, owner = " ".join(row.scopes), person_in_records(user)
        record_change(
            "api_key.issued", actor=actor, prefix=prefix, name=row.name, scopes=scopes_in_words, acts_as=owner
        )
    return NewApiKey(row, plain)


@transaction.atomic
def revoke_api_key(prefix: str, *, actor: str = "") -> ApiKey:
    """Revoke a key of the current workspace; raises NoSuchKey. A key already revoked keeps its original time."""
    is_revoked_now = ApiKey.objects.filter(prefix=prefix, revoked_at=None).update(revoked_at=now())
    key: ApiKey | None = ApiKey.objects.filter(prefix=prefix).first()
    if key is None:
        raise NoSuchKey(
            f"There is no API key with the prefix {prefix}. The prefix is everything before the second underscore."
        )
    if is_revoked_now:
        record_change("api_key.revoked", actor=actor, prefix=prefix, name=key.name)
    return key


def customer_for_identity(channel: Channel, identity: Identity) -> Customer:
    """Return the customer of a verified identity, creating or updating them with its name, e-mail and locale."""
    claims = {"name": identity.name, "email": _valid_email(identity.email), "locale": identity.locale}
    claims = {field: value for field, value in claims.items() if value}
    with workspace_scope(channel.workspace_pk):
        customer, is_new = Customer.objects.get_or_create(external_id=identity.subject, defaults=claims)
        changed = [field for field, value in claims.items() if getattr(customer, field) != value]
        if changed and not is_new:
            for field in changed:
                setattr(customer, field, claims[field])
            customer.save(update_fields=changed)
    return customer


def _valid_email(address: str) -> str:
    try:
        validate_email(address)
    except ValidationError:
        return ""
    return address


def new_visitor(channel: Channel, *, locale: str = "") -> NewVisitor:
    """Create an anonymous customer with a 256-bit random secret, stored hashed."""
    secret = f"vs_{secrets.token_urlsafe(32)}"
    with workspace_scope(channel.workspace_pk):
        customer = Customer.objects.create(visitor_hash=hash_secret(secret), locale=locale)
    return NewVisitor(customer, secret)

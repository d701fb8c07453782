"""Creates, changes and deletes endpoints and their secrets, and resends deliveries.

The audit trail records every change. A secret is generated here and returned only once; it cannot be read again. If an
endpoint is switched off, the admins are told once, by e-mail.
"""

import logging
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from smtplib import SMTPException
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import override

from actions import audit
from supportbot.accounts.models import Membership, User
from supportbot.accounts.scope import across_workspaces, current_workspace_id, workspace_scope
from supportbot.connection_test_limit import count_test
from supportbot.errors import FieldErrors, InvalidInput, NotFound
from supportbot.ids import uuid7
from supportbot.outbound.targets import address_problem
from supportbot.team_language import team_language
from supportbot.webhooks.errors import EndpointOff, TooManyEndpoints
from supportbot.webhooks.event_facts import Fact
from supportbot.webhooks.event_types import KINDS, TEST
from supportbot.webhooks.models import WebhookDelivery, WebhookEndpoint
from supportbot.webhooks.outbox_consumers import payload_of
from supportbot.webhooks.sending import attempt, park_waiting
from supportbot.webhooks.signing import new_secret

MAX_ENDPOINTS: Final = 20
MAX_NAME: Final = 80
MAX_ADDRESS: Final = 500
MAX_KEEP_HOURS: Final = 24 * 30
KEPT: Final = timedelta(days=30)  # for deliveries, counted from their creation
BATCH_SIZE: Final = 5_000
_PRINTABLE: Final = re.compile(r"[^\x00-\x1f\x7f]+")
State = WebhookDelivery.State
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class New:
    """A new endpoint or secret. The secret is in plain text only here."""

    endpoint: WebhookEndpoint
    secret: str = field(repr=False)


@transaction.atomic
def create(name: str, url: str, kinds: Iterable[str], *, includes_customer: bool = False, actor: str) -> New:
    """Add an endpoint that is switched on and receives events from now on. Raises InvalidInput or TooManyEndpoints."""
    name, kinds = name.strip(), list(dict.fromkeys(kinds))
    if wrong := problems(name, url, kinds):
        raise InvalidInput(fields=wrong)
    if WebhookEndpoint.objects.count() >= MAX_ENDPOINTS:
        raise TooManyEndpoints()
    made = WebhookEndpoint(
        name=name, url=url, kinds=_since_now(kinds), includes_customer=includes_customer, secret=new_secret()
    )
    _save(made, force_insert=True)
    _record("webhook.created", made, actor, kinds=" ".join(sorted(kinds)), customer=includes_customer)
    return New(made, made.secret)


@transaction.atomic
def update(endpoint_id: UUID, *, actor: str, **changes: Any) -> WebhookEndpoint:
    """Change `name`, `url`, `kinds`, `includes_customer` or `is_on`; fields that are left out stay the same.

    An endpoint never receives events from a time when it was off or did not subscribe to their kind. Raises
    InvalidInput or NotFound.
    """
    found = _locked(endpoint_id)
    name, url = str(changes.get("name", found.name)).strip(), str(changes.get("url", found.url))
    kinds, is_on = list(dict.fromkeys(changes.get("kinds", found.kinds))), bool(changes.get("is_on", found.is_on))
    includes_customer = bool(changes.get("includes_customer", found.includes_customer))
    if wrong := problems(name, url, kinds, own=found.pk):
        raise InvalidInput(fields=wrong)
    before = (found.name, found.url, sorted(found.kinds), found.includes_customer, found.is_on)
    is_switched_on, is_switched_off = is_on and not found.is_on, found.is_on and not is_on
    is_moved = url != found.url
    heard = {} if is_switched_on else found.kinds
    found.kinds = {**_since_now(kinds), **{kind: since for kind, since in heard.items() if kind in kinds}}
    found.name, found.url, found.includes_customer, found.is_on = name, url, includes_customer, is_on
    if before == (name, url, sorted(kinds), includes_customer, is_on):
        return found
    if is_switched_on or is_moved:  # a fresh start
        found.failures, found.failing_since, found.due_at = 0, None, now()
    if is_switched_on or is_switched_off:
        found.off_reason = ""
    _save(found)
    if is_switched_off:
        park_waiting(found)
    _record("webhook.changed", found, actor, kinds=" ".join(sorted(kinds)), on=is_on, customer=includes_customer)
    return found


@transaction.atomic
def rotate(endpoint_id: UUID, *, actor: str, keep_hours: int = 24) -> New:
    """Create a new secret. For `keep_hours`, the old one is also used for signing. Raises InvalidInput or NotFound."""
    found = _locked(endpoint_id)
    if not 0 <= keep_hours <= MAX_KEEP_HOURS:
        raise InvalidInput(fields={"keep_hours": [_("Choose 0 to %s hours.") % MAX_KEEP_HOURS]})
    is_kept = keep_hours > 0
    found.previous_secret = found.secret if is_kept else ""
    found.previous_until = now() + timedelta(hours=keep_hours) if is_kept else None
    found.secret, found.secret_changed_at = new_secret(), now()
    found.save(update_fields=["secret", "previous_secret", "previous_until", "secret_changed_at"])
    _record("webhook.rotated", found, actor, keep_hours=keep_hours)
    return New(found, found.secret)


@transaction.atomic
def remove(endpoint_id: UUID, *, actor: str) -> None:
    """Delete an endpoint, its secret and its deliveries. Raises NotFound."""
    found = _locked(endpoint_id)
    _record("webhook.removed", found, actor)
    found.delete()


def send_test(endpoint_id: UUID, *, actor: str) -> WebhookDelivery:
    """Send a test event now, without retries, and return its delivery.

    The endpoint may be off. Raises NotFound or TooManyTests.
    """
    count_test(current_workspace_id())
    with transaction.atomic():
        endpoint = _locked(endpoint_id)
        _record("webhook.tested", endpoint, actor)
        fact = Fact(TEST, str(uuid7()), now(), {"webhook": str(endpoint.pk)})
        delivery = WebhookDelivery.objects.create(
            endpoint=endpoint, event_id=fact.event_id, kind=fact.kind, payload=payload_of(fact),
            due_at=now() + timedelta(minutes=5),  # the sweep leaves it to this call
        )  # fmt: skip
    attempt(delivery)
    delivery.refresh_from_db()
    return delivery


@transaction.atomic
def replay(delivery_id: UUID, *, actor: str) -> WebhookDelivery:
    """Resend one delivery with the same id, whatever its state. A waiting delivery is sent now.

    Raises NotFound or EndpointOff.
    """
    endpoint_id = WebhookDelivery.objects.filter(pk=delivery_id).values_list("endpoint_id", flat=True).first()
    endpoint = _ready_to_send(endpoint_id)
    chosen = WebhookDelivery.objects.filter(pk=delivery_id)
    _put_to_send(endpoint, chosen)
    _record("webhook.replayed", endpoint, actor, delivery=str(delivery_id))
    found: WebhookDelivery = chosen.get()
    return found


@transaction.atomic
def replay_failed(endpoint_id: UUID, *, since: datetime, actor: str) -> int:
    """Resend every abandoned delivery that was created since this time; return how many there were.

    Raises NotFound or EndpointOff.
    """
    endpoint = _ready_to_send(endpoint_id)
    failed = WebhookDelivery.objects.filter(endpoint=endpoint, state=State.PARKED, created_at__gte=since)
    count = _put_to_send(endpoint, failed.exclude(kind=TEST))
    _record("webhook.replayed", endpoint, actor, since=since.isoformat(), count=count)
    return count


def _ready_to_send(endpoint_id: UUID | None) -> WebhookEndpoint:
    if endpoint_id is None:
        raise NotFound()
    endpoint = _locked(endpoint_id)
    if not endpoint.is_on:
        raise EndpointOff()
    return endpoint


def _put_to_send(endpoint: WebhookEndpoint, chosen: Any) -> int:
    count: int = chosen.update(state=State.WAITING, attempts=0, due_at=now())
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(due_at=now())  # it may be paused after failures
    return count


def forget_old_secrets() -> int:
    """Delete old secrets that are no longer used for signing, in every workspace; return how many there were."""
    with across_workspaces("old secrets of webhooks"):
        ended = WebhookEndpoint.objects.filter(previous_until__lte=now())
        return ended.update(previous_secret="", previous_until=None)


def purge() -> int:
    """Delete deliveries that were created more than thirty days ago, in every workspace; return how many there were."""
    deleted = 0
    with across_workspaces("old deliveries of webhooks"):
        while True:
            old = WebhookDelivery.objects.filter(created_at__lt=now() - KEPT).values("pk")[:BATCH_SIZE]
            count, _each = WebhookDelivery.objects.filter(pk__in=list(old.values_list("pk", flat=True))).delete()
            deleted += count
            if count < BATCH_SIZE:
                return deleted


def problems(name: str, url: str, kinds: Collection[str], *, own: UUID | None = None) -> FieldErrors:
    """Check an endpoint before it is stored. Return the errors by field. `own` is the endpoint's id, unless it is
    new.
    """
    wrong: FieldErrors = {}
    if not _PRINTABLE.fullmatch(name) or len(name) > MAX_NAME:
        wrong["name"] = [_("Enter a name of up to %s characters.") % MAX_NAME]
    elif WebhookEndpoint.objects.filter(~Q(pk=own), name=name).exists():
        wrong["name"] = [_taken()]
    if problem := _address_problem(url):
        wrong["url"] = [problem]
    if unknown := sorted(set(kinds) - set(KINDS)):
        wrong["kinds"] = [_("Unknown: %(kinds)s.") % {"kinds": ", ".join(unknown)[:200]}]
    elif not kinds:
        wrong["kinds"] = [_("Choose at least one kind of event.")]
    return wrong


def _address_problem(url: str) -> str:
    if len(url) > MAX_ADDRESS:
        return _("The address has more than %s characters.") % MAX_ADDRESS
    if problem := address_problem(url):
        return f"{problem[:1].upper()}{problem[1:]}."
    return _("The address must not contain #.") if "#" in url else ""


def _since_now(kinds: Iterable[str]) -> dict[str, str]:
    moment = now().isoformat()
    return dict.fromkeys(sorted(kinds), moment)


def _save(endpoint: WebhookEndpoint, **how: Any) -> None:
    try:
        with transaction.atomic():
            endpoint.save(**how)
    except IntegrityError as error:  # created concurrently
        raise InvalidInput(fields={"name": [_taken()]}) from error


def _locked(endpoint_id: UUID) -> WebhookEndpoint:
    found = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=endpoint_id).first()
    if found is None:
        raise NotFound()
    return found


def _record(event: str, endpoint: WebhookEndpoint, actor: str, **facts: Any) -> None:
    audit.record(event, actor=actor, webhook=endpoint.name, host=urlsplit(endpoint.url).netloc, **facts)


def _taken() -> str:
    return _("A webhook with this name already exists.")


def notify_admins() -> int:
    """E-mail the admins about every endpoint switched off since the last call; return how many endpoints there were. If
    this fails, the next call tries again.
    """
    with across_workspaces("webhooks that were switched off"):
        off = WebhookEndpoint.objects.filter(is_on=False, notified_at=None).exclude(off_reason="")
        found = list(off.order_by("id").values_list("workspace_id", "id"))
    return sum(_notify(*one) for one in found)


def _notify(workspace_id: UUID, endpoint_id: UUID) -> bool:
    with workspace_scope(workspace_id):
        off = WebhookEndpoint.objects.filter(pk=endpoint_id, is_on=False, notified_at=None).exclude(off_reason="")
        if not off.update(notified_at=now()):  # switched on in the meantime, or being handled by another worker
            return False
        endpoint = WebhookEndpoint.objects.select_related("workspace").get(pk=endpoint_id)
        admins = User.objects.filter(
            memberships__workspace_id=workspace_id, memberships__role=Membership.Role.ADMIN, is_active=True
        )
        try:
            for admin in admins.exclude(email="").order_by("id"):
                _mail(admin, endpoint)
        except (SMTPException, OSError) as error:
            logger.warning("webhooks: notice of %s not sent (%s); will retry", endpoint_id, type(error).__name__)
            WebhookEndpoint.objects.filter(pk=endpoint_id).update(notified_at=None)
            return False
    return True


def _mail(admin: User, endpoint: WebhookEndpoint) -> None:
    page = reverse("admin:webhooks_webhookendpoint_change", args=[endpoint.pk])
    assert endpoint.workspace is not None  # the field has a default
    context = {"user": admin, "endpoint": endpoint, "link": f"{settings.BASE_URL}{page}"}
    with override(team_language(admin.language)):
        body = render_to_string("webhooks/switched_off.txt", context)
        subject = _("Webhook {name} of {workspace} is switched off").format(
            name=endpoint.name, workspace=endpoint.workspace.name
        )
    send_mail(" ".join(subject.split()), body, settings.DEFAULT_FROM_EMAIL, [admin.email])

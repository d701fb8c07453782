"""Tells a workspace's admins by e-mail, once, that an endpoint was switched off."""

import logging
from smtplib import SMTPException
from uuid import UUID

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import override

from supportbot.accounts.models import Membership, User
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.team_language import team_language
from supportbot.webhooks.models import WebhookEndpoint

logger = logging.getLogger(__name__)


def notify_admins() -> int:
    """Mail the admins of every endpoint switched off since the last call; return the number of endpoints. If mails
    cannot be sent, the next call tries again.
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

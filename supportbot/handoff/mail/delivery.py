"""Mails an agent's reply once to a customer who has left the chat.

It goes to the address that the customer gave or, if they gave none, to the one in their signed identity. The outbox
consumer creates one row per message, and a worker of the `mail` queue sends those that are due. If a worker dies
between sending and saving, the e-mail is sent again with the same Message-ID, and mail programs show it only once.
"""

import logging
from datetime import timedelta
from email.utils import parseaddr
from smtplib import SMTPException
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F
from django.utils.timezone import now

from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.chat.customer_language import customer_language
from supportbot.chat.models import Message
from supportbot.handoff.mail.customer_presence import is_customer_present
from supportbot.handoff.models import OutgoingMail, Ticket
from supportbot.handoff.tickets.contact_addresses import deliverable
from supportbot.handoff.tickets.notices import MAIL_CLOSING, MAIL_SUBJECT
from supportbot.outbox.models import Announcement
from supportbot.translation import text_in

logger = logging.getLogger(__name__)
MAX_ATTEMPTS: Final = 8
LEASE: Final = timedelta(minutes=2)
BATCH_SIZE: Final = 100


def on_agent_replied(announcement: Announcement) -> None:
    """Schedule an e-mail if the customer has left and has an address. A repeated announcement changes nothing."""
    message = Message.objects.filter(pk=announcement.object_id).first()
    if message is None or is_customer_present(message.conversation_id):
        return
    tickets = Ticket.objects.select_related("conversation__customer")
    ticket = tickets.filter(conversation_id=message.conversation_id).order_by("-id").first()
    if ticket is None:
        return
    candidates = [ticket.contact_email, ticket.conversation.customer.email]
    address = next(iter(deliverable(candidates)), "")
    if address:
        OutgoingMail.objects.get_or_create(message_id=message.pk, defaults={"ticket": ticket, "address": address})


def send_due() -> int:
    """Send the e-mails that are due in every workspace, and return how many were sent.

    Each is attempted up to eight times.
    """
    with across_workspaces("mail that is due"):
        due = OutgoingMail.objects.filter(sent_at=None, attempts__lt=MAX_ATTEMPTS, due_at__lte=now())
        found = list(due.order_by("id").values_list("id", "workspace_id")[:BATCH_SIZE])
    return sum(_send_one(*one) for one in found)


def _send_one(mail_id: UUID, workspace_id: UUID) -> bool:
    with workspace_scope(workspace_id):
        if not _claim(mail_id):
            return False
        mail = OutgoingMail.objects.select_related("ticket").get(pk=mail_id)
        message = Message.objects.select_related("conversation__workspace").filter(pk=mail.message_id).first()
        if message is None:  # erased in the meantime
            mail.delete()
            return False
        try:
            _compose(mail, message).send()
        except (SMTPException, OSError, ValueError) as error:  # ValueError: the address does not fit a header
            _log_failure(mail, error)
            return False
        OutgoingMail.objects.filter(pk=mail_id).update(sent_at=now())
    return True


def _log_failure(mail: OutgoingMail, error: Exception) -> None:
    if mail.attempts < MAX_ATTEMPTS:
        logger.warning("handoff: mail %s not sent (%s); will retry", mail.pk, type(error).__name__)
    else:
        logger.error("handoff: mail %s given up after %s attempts (%s)", mail.pk, mail.attempts, type(error).__name__)


@transaction.atomic
def _claim(mail_id: UUID) -> bool:
    """Claim an e-mail for this worker. If the attempt fails or is lost, the e-mail becomes due again after a delay,
    which grows each time.
    """
    mail = OutgoingMail.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=mail_id).first()
    if mail is None or mail.sent_at is not None or mail.due_at > now():
        return False
    delay = LEASE * 2**mail.attempts
    OutgoingMail.objects.filter(pk=mail_id).update(attempts=F("attempts") + 1, due_at=now() + delay)
    return True


def _compose(mail: OutgoingMail, message: Message) -> EmailMessage:
    conversation = message.conversation
    names = {"workspace": conversation.workspace.name, "agent": message.author_name}
    language = customer_language(conversation)
    closing = text_in(language, MAIL_CLOSING, **names)
    # A line break in a name must not add a header.
    subject = " ".join(text_in(language, MAIL_SUBJECT, **names).split())
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].partition("@")[2] or "localhost"
    return EmailMessage(
        subject=subject,
        body=f"{message.text}\n\n-- \n{closing}\n",
        to=[mail.address],
        headers={"Message-ID": f"<{message.pk}@{domain}>", "Auto-Submitted": "auto-generated"},
    )

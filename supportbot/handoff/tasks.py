"""Celery tasks. Beat publishes them, so no request waits for the broker."""

from celery import shared_task

from supportbot.handoff.mail.delivery import send_due
from supportbot.handoff.tickets.periodic_changes import (
    escalate_late,
    escalate_silent,
    expire_abandoned,
    release_of_former_agents,
    wake_snoozed,
)


@shared_task
def sweep_tickets() -> None:
    release_of_former_agents()  # first, so that no other step finds a ticket that still belongs to a former agent
    escalate_late()
    escalate_silent()
    expire_abandoned()
    wake_snoozed()


@shared_task
def send_mail() -> None:
    send_due()

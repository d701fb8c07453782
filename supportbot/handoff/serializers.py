"""Serializers of the ticket API."""

from typing import Any, Final

from rest_framework import serializers

from supportbot.chat.services import CONTROLS
from supportbot.handoff.models import Reason, Ticket
from supportbot.handoff.tickets.selectors import queue_position
from supportbot.handoff.tickets.text_cleaning import MAX_NOTE_CHARACTERS
from supportbot.serializer_fields import ClosedSerializerMixin, OneOfField, TextField, example

_NOTE: Final = {"pattern": f"^[^{CONTROLS}]+$", "maxLength": MAX_NOTE_CHARACTERS}


class HandoffTicketSerializer(serializers.ModelSerializer[Ticket]):
    """A ticket as the team sees it."""

    customer = serializers.UUIDField(source="conversation.customer_id", read_only=True)
    customer_name = serializers.CharField(source="conversation.customer", read_only=True)
    assignee = serializers.UUIDField(source="assignee_id", read_only=True, allow_null=True)
    assignee_name = serializers.SerializerMethodField()

    contact_email = serializers.CharField(read_only=True, help_text="Empty until the customer gives one.")

    class Meta:
        model = Ticket
        fields = [
            "id",
            "conversation",
            "customer",
            "customer_name",
            "state",
            "reason",
            "summary",
            "priority",
            "language",
            "requested_by",
            "assignee",
            "assignee_name",
            "contact_email",
            "created_at",
            "waiting_since",
            "claimed_at",
            "snoozed_until",
            "escalated_at",
            "ended_at",
        ]
        read_only_fields = fields

    def get_assignee_name(self, ticket: Ticket) -> str | None:
        return ticket.assignee.display_name if ticket.assignee else None


class CustomerTicketSerializer(serializers.ModelSerializer[Ticket]):
    """A ticket as its customer sees it, without the team's notes."""

    place = serializers.SerializerMethodField()
    agent = serializers.SerializerMethodField()

    contact_email = serializers.CharField(read_only=True, help_text="Empty until the customer gives one.")

    class Meta:
        model = Ticket
        fields = ["id", "conversation", "state", "reason", "place", "agent", "contact_email", "created_at"]
        read_only_fields = fields

    def get_place(self, ticket: Ticket) -> int | None:
        return queue_position(ticket)

    def get_agent(self, ticket: Ticket) -> str | None:
        return ticket.assignee.display_name if ticket.assignee else None


@example(conversation="0197f0a2-5f6b-7c11-8d53-3b0f2f9c1a7e", summary="Wants to change an address.")
class NewTicketInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    """A request for a person. Only the team can set `reason`; for customers it is always `customer_asked`."""

    conversation = serializers.UUIDField()
    reason = OneOfField(choices=Reason.choices, required=False)
    summary = TextField(max_length=1000, allow_blank=True, required=False)


@example(note="The parcel is found and arrives on Friday.")
class ReturnInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    note = TextField(
        allow_blank=True,
        required=False,
        schema=_NOTE,
        help_text="For the assistant. Customers never see it.",
    )


class SnoozeInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    until = serializers.DateTimeField()


@example(to="maria")
class TransferInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    to = TextField(max_length=150, help_text="The colleague's user name or id.")


@example(email="mara@example.com")
class ContactInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    email = serializers.EmailField(trim_whitespace=False)

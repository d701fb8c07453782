"""Serializers of the conversations' REST views."""

import re
from typing import Any, Final

from rest_framework import serializers

from supportbot.accounts.branding import LOCALE
from supportbot.chat.models import Conversation
from supportbot.chat.services import CONTROLS, MAX_MESSAGE_CHARACTERS
from supportbot.language.normalise import UNSEEN_IN_SCHEMAS
from supportbot.serializer_fields import (
    ClosedSerializerMixin,
    OneOfField,
    PatternField,
    TextField,
    example,
    more_than_spaces,
)

_SAYS_SOMETHING: Final = more_than_spaces(without=CONTROLS, unseen=UNSEEN_IN_SCHEMAS)
_TEXT: Final = {"allOf": [{"pattern": _SAYS_SOMETHING}], "maxLength": MAX_MESSAGE_CHARACTERS}

PREVIEW_CHARACTERS: Final = 120
_MARKER: Final = re.compile(r" ?\[[0-9]{1,2}\]")  # the marker of a source, which lists do not show


class RatingSerializer(serializers.Serializer[Any]):
    """A customer's rating of one answer or, without a `message`, of the conversation."""

    message = serializers.UUIDField(source="message_id", allow_null=True)
    score = serializers.IntegerField(min_value=1, max_value=5)
    reason = serializers.CharField(help_text="wrong, off_topic, incomplete, unclear, or empty.")
    comment = serializers.CharField()
    created_at = serializers.DateTimeField()


class ConversationSerializer(serializers.ModelSerializer[Conversation]):
    """A conversation as the team sees it."""

    customer_name = serializers.CharField(source="customer", read_only=True)
    agent_name = serializers.SerializerMethodField()
    head = serializers.IntegerField(source="last_seq", read_only=True)
    # Use the relation's name, because ratings belong to the widget, which this package does not import.
    ratings = RatingSerializer(many=True, read_only=True)

    class Meta:
        model = Conversation
        fields = [
            "id",
            "customer",
            "customer_name",
            "channel",
            "locale",
            "mode",
            "agent",
            "agent_name",
            "head",
            "created_at",
            "last_event_at",
            "ended_at",
            "ratings",
        ]
        read_only_fields = fields

    def get_agent_name(self, conversation: Conversation) -> str | None:
        return conversation.agent.display_name if conversation.agent else None


class OwnConversationSerializer(serializers.ModelSerializer[Conversation]):
    """A conversation as its customer sees it. `head` counts only events that they may read."""

    agent_name = serializers.SerializerMethodField()
    head = serializers.IntegerField(source="last_public_seq", read_only=True)

    class Meta:
        model = Conversation
        fields = ["id", "channel", "locale", "mode", "agent_name", "head", "created_at", "last_event_at", "ended_at"]
        read_only_fields = fields

    def get_agent_name(self, conversation: Conversation) -> str | None:
        return conversation.agent.display_name if conversation.agent else None


class OwnConversationRowSerializer(OwnConversationSerializer):
    """A conversation in its customer's list, with a preview of the last message."""

    preview = serializers.SerializerMethodField()

    class Meta(OwnConversationSerializer.Meta):
        fields = [*OwnConversationSerializer.Meta.fields, "preview"]
        read_only_fields = fields

    def get_preview(self, conversation: Conversation) -> str:
        return preview(getattr(conversation, "last_text", None) or "")


def preview(text: str) -> str:
    """Return the beginning of a message, on one line."""
    line = " ".join(_MARKER.sub("", text).split())
    return line if len(line) <= PREVIEW_CHARACTERS else line[: PREVIEW_CHARACTERS - 1].rstrip() + "…"


@example(locale="en")
class NewConversationInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    locale = PatternField(LOCALE.pattern, max_length=12, required=False)


class EventSerializer(serializers.Serializer[Any]):
    """One event of the log. `prev_seq` is the event before it in this reader's view; if the reader does not have that
    one, an event was lost.
    """

    seq = serializers.IntegerField()
    prev_seq = serializers.IntegerField()
    event = serializers.CharField()
    payload = serializers.DictField(
        help_text="The payload's fields depend on the event: supportbot/chat/schemas/events.json."
    )
    created_at = serializers.DateTimeField()


class EventPageSerializer(serializers.Serializer[Any]):
    results = EventSerializer(many=True)
    next = serializers.URLField(allow_null=True)
    head = serializers.IntegerField(help_text="The newest seq that this reader may see.")


class EventQuery(ClosedSerializerMixin, serializers.Serializer[Any]):
    after = serializers.IntegerField(min_value=0, max_value=2**63 - 1, default=0)
    limit = serializers.IntegerField(min_value=1, max_value=500, default=500)


@example(client_id="m-1", text="How long do refunds take?")
class MessageInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    """A message. The service validates its text, so the socket and REST return the same errors."""

    client_id = TextField(max_length=128, trim_whitespace=False, schema={"pattern": "^[!-~]+$"})
    text = TextField(trim_whitespace=False, allow_blank=True, schema=_TEXT)
    kind = OneOfField(
        choices=["reply", "note"],
        required=False,
        help_text="Only for the team: a `reply` goes to the customer, a `note` only to colleagues.",
    )


class ReceiptSerializer(serializers.Serializer[Any]):
    client_id = serializers.CharField()
    seq = serializers.IntegerField()
    message = serializers.UUIDField()

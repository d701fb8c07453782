"""The requests and responses of the widget's REST endpoints."""

from typing import Any, Final

from rest_framework import serializers

from supportbot.accounts.branding import LOCALE
from supportbot.serializer_fields import ClosedSerializerMixin, PatternField, TextField, example

_CHANNEL_KEY: Final = "pk_[0-9A-Za-z_-]{1,37}"


@example(channel="pk_4f1d0c9b2a7e4d5c8b6a1f03", locale="de")
class TicketRequestSerializer(ClosedSerializerMixin, serializers.Serializer[Any]):
    channel = PatternField(_CHANNEL_KEY, help_text="The channel's public key.")
    token = TextField(max_length=8_000, required=False, help_text="An identity token signed by your server.")
    visitor = TextField(max_length=200, required=False, help_text="The secret this visitor was given before.")
    conversation = serializers.UUIDField(
        required=False, help_text="The conversation to continue. If left out, a new one starts."
    )
    locale = PatternField(
        LOCALE.pattern,
        max_length=12,
        required=False,
        help_text="Language of a new conversation. Defaults to the channel's.",
    )


@example(channel="pk_4f1d0c9b2a7e4d5c8b6a1f03")
class CodeRequestSerializer(ClosedSerializerMixin, serializers.Serializer[Any]):
    """Identifies the customer whose chat continues on the hosted page, by a token or a visitor's secret."""

    channel = PatternField(_CHANNEL_KEY, help_text="The channel's public key.")
    token = TextField(max_length=8_000, required=False, help_text="An identity token signed by your server.")
    visitor = TextField(max_length=200, required=False, help_text="The secret this visitor was given before.")
    conversation = serializers.UUIDField(
        required=False, help_text="The conversation to continue. If left out, a new one starts."
    )


class CodeSerializer(serializers.Serializer[Any]):
    url = serializers.CharField(
        help_text="Valid for 60 seconds. The code is in the fragment, which browsers do not send to servers."
    )
    expires_at = serializers.DateTimeField()


@example(channel="pk_4f1d0c9b2a7e4d5c8b6a1f03", code="Zx0n3bq8")
class RedeemSerializer(ClosedSerializerMixin, serializers.Serializer[Any]):
    channel = PatternField(_CHANNEL_KEY, help_text="The channel's public key.")
    code = TextField(max_length=200, help_text="From the fragment of the page's address.")
    locale = PatternField(LOCALE.pattern, max_length=12, required=False, help_text="Language of a new conversation.")


class WidgetConfigSerializer(serializers.Serializer[Any]):
    channel = serializers.CharField(help_text="The channel's name.")
    name = serializers.CharField(help_text="The assistant's name. Empty if it has none.")
    locale = serializers.CharField()
    hour12 = serializers.BooleanField(help_text="Whether this locale uses a 12-hour clock.")
    greeting = serializers.CharField()
    notice = serializers.CharField(help_text="Says that an AI answers. Must be shown before the first answer.")
    limits = serializers.DictField(child=serializers.IntegerField())
    suggestions = serializers.ListField(child=serializers.CharField())
    logo = serializers.CharField(help_text="The address of the workspace's logo. Empty if it has none.")
    look = serializers.DictField(help_text="The accent colours for the light and dark themes. Empty for the defaults.")
    privacy_url = serializers.CharField()
    confirm_on_hosted_page = serializers.BooleanField()
    hosted_url = serializers.CharField()
    is_ended = serializers.BooleanField(help_text="Whether this conversation accepts no more messages.")


class TicketSerializer(serializers.Serializer[Any]):
    ticket = serializers.CharField()
    expires_at = serializers.DateTimeField()
    ws_url = serializers.CharField()
    conversation = serializers.UUIDField()
    visitor = serializers.CharField(required=False, help_text="Returned once, to a new visitor.")
    config = WidgetConfigSerializer()


class RedeemedSerializer(TicketSerializer):
    """A ticket, and a pass that the page may keep in memory to request more tickets."""

    token = serializers.CharField(help_text="Used like an identity token. Valid for at most an hour.")
    token_expires_at = serializers.DateTimeField()

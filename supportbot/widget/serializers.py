"""What the widget's REST views read and show."""

from typing import Any, Final

from rest_framework import serializers

from supportbot.accounts.look import LOCALE
from supportbot.web import ClosedSerializerMixin, FormField, TextField, example

_CHANNEL_KEY: Final = "pk_[0-9A-Za-z_-]{1,37}"


@example(channel="pk_4f1d0c9b2a7e4d5c8b6a1f03", locale="de")
class TicketRequestSerializer(ClosedSerializerMixin, serializers.Serializer[Any]):
    channel = FormField(_CHANNEL_KEY, help_text="The channel's public key.")
    token = TextField(max_length=8_000, required=False, help_text="An identity token of your server.")
    visitor = TextField(max_length=200, required=False, help_text="The secret a visitor got before.")
    conversation = serializers.UUIDField(required=False, help_text="One to go on with; a new one if left out.")
    locale = FormField(
        LOCALE.pattern, max_length=12, required=False, help_text="Of a new conversation; else the channel's."
    )


@example(channel="pk_4f1d0c9b2a7e4d5c8b6a1f03")
class CodeRequestSerializer(ClosedSerializerMixin, serializers.Serializer[Any]):
    """Whose chat shall go on on our own page: a token, or a visitor's secret."""

    channel = FormField(_CHANNEL_KEY, help_text="The channel's public key.")
    token = TextField(max_length=8_000, required=False, help_text="An identity token of your server.")
    visitor = TextField(max_length=200, required=False, help_text="The secret a visitor got before.")
    conversation = serializers.UUIDField(required=False, help_text="One to go on with; a new one if left out.")


class CodeSerializer(serializers.Serializer[Any]):
    url = serializers.CharField(help_text="Good for 60 seconds; the code is in the fragment, which no server sees.")
    expires_at = serializers.DateTimeField()


@example(channel="pk_4f1d0c9b2a7e4d5c8b6a1f03", code="Zx0n3bq8")
class RedeemSerializer(ClosedSerializerMixin, serializers.Serializer[Any]):
    channel = FormField(_CHANNEL_KEY, help_text="The channel's public key.")
    code = TextField(max_length=200, help_text="From the address of the page.")
    locale = FormField(LOCALE.pattern, max_length=12, required=False, help_text="Of a new conversation.")


class WidgetConfigSerializer(serializers.Serializer[Any]):
    channel = serializers.CharField(help_text="The channel's name.")
    name = serializers.CharField(help_text="What the assistant is called; empty: nothing of its own.")
    locale = serializers.CharField()
    greeting = serializers.CharField()
    notice = serializers.CharField(help_text="Must be shown before the first answer.")
    limits = serializers.DictField(child=serializers.IntegerField())
    suggestions = serializers.ListField(child=serializers.CharField())
    look = serializers.DictField(help_text="The accent's colours for light and dark; empty: the product's own.")
    privacy_url = serializers.CharField()
    confirm_on_hosted_page = serializers.BooleanField()
    hosted_url = serializers.CharField()
    is_ended = serializers.BooleanField(help_text="Nothing more can be written in this conversation.")


class TicketSerializer(serializers.Serializer[Any]):
    ticket = serializers.CharField()
    expires_at = serializers.DateTimeField()
    ws_url = serializers.CharField()
    conversation = serializers.UUIDField()
    visitor = serializers.CharField(required=False, help_text="Given once, to a new visitor.")
    config = WidgetConfigSerializer()


class RedeemedSerializer(TicketSerializer):
    """A ticket, and a pass that the page may keep in memory for the next ones."""

    token = serializers.CharField(help_text="Used like an identity token; at most an hour.")
    token_expires_at = serializers.DateTimeField()

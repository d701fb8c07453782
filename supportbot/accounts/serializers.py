"""What the accounts' REST views read and show. They parse and render; services change."""

from typing import Any

from rest_framework import serializers

from supportbot.accounts.embedding import hosted_url, snippet
from supportbot.accounts.models import Channel, Customer
from supportbot.web import ClosedSerializerMixin, TextField

MAX_ORIGINS = 50


class ChannelSerializer(serializers.ModelSerializer[Channel]):
    """One embedding of the widget, with the line a merchant pastes."""

    snippet = serializers.SerializerMethodField()
    hosted_url = serializers.SerializerMethodField()

    class Meta:
        model = Channel
        fields = [
            "id",
            "key",
            "name",
            "allowed_origins",
            "locale",
            "greeting",
            "greetings",
            "suggestions",
            "assistant_name",
            "accent",
            "privacy_url",
            "confirms_on_hosted_page",
            "is_live",
            "created_at",
            "snippet",
            "hosted_url",
        ]

    def get_snippet(self, channel: Channel) -> str:
        return snippet(channel.key)

    def get_hosted_url(self, channel: Channel) -> str:
        return hosted_url(channel.key)


class NewChannelSerializer(ChannelSerializer):
    """A channel just made, with the secret that signs its customers' identities; it is shown this once."""

    identity_secret = serializers.CharField()

    class Meta(ChannelSerializer.Meta):
        fields = [*ChannelSerializer.Meta.fields, "identity_secret"]


class ChannelInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    """A channel to be made; every field but the name may be left out."""

    name = serializers.CharField(max_length=120)
    allowed_origins = serializers.ListField(
        child=serializers.CharField(max_length=200), max_length=MAX_ORIGINS, required=False
    )
    locale = serializers.RegexField(r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})?$", max_length=12, required=False)
    greeting = TextField(max_length=300, allow_blank=True, required=False, help_text="In the channel's language.")
    # What the texts by language and the colour may hold stands with the channel's fields.
    greetings = serializers.JSONField(required=False, help_text='In other languages: {"de": "…"}.')
    suggestions = serializers.JSONField(required=False, help_text='Up to three lines a language: {"en": ["…"]}.')
    assistant_name = TextField(max_length=60, allow_blank=True, required=False)
    accent = TextField(max_length=7, allow_blank=True, required=False, help_text="Such as #1f5b45.")
    privacy_url = TextField(max_length=300, allow_blank=True, required=False)
    confirms_on_hosted_page = serializers.BooleanField(
        required=False, help_text="Actions are confirmed on our own chat page only, never in the shop's page."
    )


class ChannelChangeInput(ChannelInput):
    """What shall be different of a channel; its key stays."""

    is_live = serializers.BooleanField(required=False)


class CustomerSerializer(serializers.ModelSerializer[Customer]):
    class Meta:
        model = Customer
        fields = ["id", "external_id", "name", "email", "locale", "is_anonymous", "created_at"]

    is_anonymous = serializers.BooleanField(read_only=True)


class MeSerializer(serializers.Serializer[Any]):
    """Who the credential speaks for. `role` and `scopes` are the team's, `is_verified` is a customer's."""

    kind = serializers.ChoiceField(choices=["staff", "customer"])
    id = serializers.UUIDField(allow_null=True)
    name = serializers.CharField()
    workspace = serializers.CharField()
    role = serializers.CharField(required=False, allow_null=True)
    scopes = serializers.ListField(child=serializers.CharField(), required=False)
    is_verified = serializers.BooleanField(required=False)

"""Serializers for the REST views. They parse and render; services make the changes."""

from typing import Any, Final

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from supportbot.accounts.branding import (
    LOCALE,
    MAX_GREETING_CHARACTERS,
    MAX_LANGUAGES,
    MAX_SUGGESTION_CHARACTERS,
    MAX_SUGGESTIONS,
)
from supportbot.accounts.channels import hosted_url, snippet
from supportbot.accounts.models import Channel, Customer, Workspace
from supportbot.accounts.origins import MAX_ORIGINS
from supportbot.serializer_fields import (
    ClosedSerializerMixin,
    FlagField,
    PatternField,
    TextField,
    example,
    more_than_spaces,
)

# The validation by services and models, for the OpenAPI schema.
_LABEL: Final = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST: Final = rf"{_LABEL}(\.{_LABEL}){{0,8}}"
_ORIGIN: Final = {"pattern": rf"^https?://{_HOST}(:[1-9][0-9]{{0,3}})?$"}
_ACCENT: Final = {"pattern": "^#[0-9a-fA-F]{6}$"}
_WEB_ADDRESS: Final = {"pattern": rf"^https?://({_LABEL}\.){{1,8}}[a-z]{{2,63}}(:[1-9][0-9]{{0,3}})?([/?#][!-~]*)?$"}
_LINE: Final = more_than_spaces(without=r"\u0000-\u001f\u007f-\u009f\u2028\u2029")
_BY_LANGUAGE: Final = {
    "type": "object",
    "maxProperties": MAX_LANGUAGES,
    "propertyNames": {"pattern": rf"^{LOCALE.pattern}$"},
}
_SUGGESTION: Final = {"type": "string", "maxLength": MAX_SUGGESTION_CHARACTERS, "pattern": _LINE}


@extend_schema_field({**_BY_LANGUAGE, "additionalProperties": {**_SUGGESTION, "maxLength": MAX_GREETING_CHARACTERS}})
class GreetingsField(serializers.DictField):
    """Greetings by language. The channel's model field validates them."""


@extend_schema_field(
    {**_BY_LANGUAGE, "additionalProperties": {"type": "array", "items": _SUGGESTION, "maxItems": MAX_SUGGESTIONS}}
)
class SuggestionsField(serializers.DictField):
    """Suggestions by language. The channel's model field validates them."""


class ChannelSerializer(serializers.ModelSerializer[Channel]):
    """One place where the widget is embedded, with its embed code."""

    greetings = GreetingsField()
    suggestions = SuggestionsField()
    privacy_url = serializers.CharField(read_only=True)
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
        return snippet(channel)

    def get_hosted_url(self, channel: Channel) -> str:
        return hosted_url(channel.key)


class NewChannelSerializer(ChannelSerializer):
    """A new channel with the secret that signs its customers' identities, which is shown only once."""

    identity_secret = serializers.CharField()

    class Meta(ChannelSerializer.Meta):
        fields = [*ChannelSerializer.Meta.fields, "identity_secret"]


@example(
    name="Web shop", allowed_origins=["https://shop.example.com"], greetings={"de": "Hallo {name}!"}, accent="#1f5b45"
)
class ChannelInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    """A new channel; only the name is required."""

    name = TextField(max_length=120)
    allowed_origins = serializers.ListField(
        child=TextField(max_length=200, schema=_ORIGIN), max_length=MAX_ORIGINS, required=False
    )
    locale = PatternField(LOCALE.pattern, max_length=12, required=False)
    greeting = TextField(
        max_length=300, allow_blank=True, required=False, help_text="The greeting in the channel's language."
    )
    greetings = GreetingsField(required=False, help_text='Greetings in other languages: {"de": "…"}.')
    suggestions = SuggestionsField(required=False, help_text='Up to three lines per language: {"en": ["…"]}.')
    assistant_name = TextField(max_length=60, allow_blank=True, required=False)
    accent = TextField(
        max_length=7, allow_blank=True, required=False, schema=_ACCENT, help_text="A colour such as #1f5b45."
    )
    privacy_url = TextField(max_length=300, allow_blank=True, required=False, schema=_WEB_ADDRESS)
    confirms_on_hosted_page = FlagField(
        required=False, help_text="Actions can be confirmed only on the hosted chat page, never on the shop's page."
    )


@example(suggestions={"en": ["Where is my order?"]}, privacy_url="https://shop.example.com/privacy")
class ChannelChangeInput(ChannelInput):
    """Changes to a channel. Its key stays the same."""

    is_live = FlagField(required=False)


class WorkspaceSerializer(serializers.ModelSerializer[Workspace]):
    """The company or brand, as shown on its help pages and in its chats."""

    help_url = serializers.SerializerMethodField()

    class Meta:
        model = Workspace
        fields = [
            "id",
            "slug",
            "name",
            "locale",
            "timezone",
            "currency",
            "site_url",
            "accent",
            "imprint_url",
            "privacy_url",
            "help_url",
        ]
        read_only_fields = fields

    def get_help_url(self, workspace: Workspace) -> str:
        return f"{settings.BASE_URL}/help/{workspace.slug}/"


@example(imprint_url="https://shop.example.com/imprint", privacy_url="https://shop.example.com/privacy")
class WorkspaceChangeInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    """Changes to the workspace. Its slug, time zone and currency stay the same."""

    name = TextField(max_length=120, required=False)
    locale = PatternField(
        LOCALE.pattern,
        max_length=12,
        required=False,
        help_text="The language of new channels, and of new articles unless their text is clearly in a different one.",
    )
    site_url = TextField(max_length=300, allow_blank=True, required=False, schema=_WEB_ADDRESS)
    accent = TextField(
        max_length=7, allow_blank=True, required=False, schema=_ACCENT, help_text="A colour such as #1f5b45."
    )
    imprint_url = TextField(max_length=300, allow_blank=True, required=False, schema=_WEB_ADDRESS)
    privacy_url = TextField(max_length=300, allow_blank=True, required=False, schema=_WEB_ADDRESS)


class CustomerSerializer(serializers.ModelSerializer[Customer]):
    class Meta:
        model = Customer
        fields = ["id", "external_id", "name", "email", "locale", "is_anonymous", "created_at"]

    is_anonymous = serializers.BooleanField(read_only=True)


class MeSerializer(serializers.Serializer[Any]):
    """Who the credential identifies. `role` and `scopes` are for staff, `is_verified` is for customers."""

    kind = serializers.ChoiceField(choices=["staff", "customer"])
    id = serializers.UUIDField(allow_null=True)
    name = serializers.CharField()
    workspace = serializers.CharField()
    role = serializers.CharField(required=False, allow_null=True)
    scopes = serializers.ListField(child=serializers.CharField(), required=False)
    is_verified = serializers.BooleanField(required=False)

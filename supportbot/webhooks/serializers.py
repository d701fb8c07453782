"""Serializers for the webhooks API. They parse and render; the services save."""

from typing import Any, Final

from django.utils.timezone import now
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from supportbot.serializer_fields import (
    ClosedSerializerMixin,
    FlagField,
    TextField,
    WholeNumberField,
    example,
    more_than_spaces,
)
from supportbot.webhooks.event_types import KINDS
from supportbot.webhooks.models import WebhookDelivery, WebhookEndpoint
from supportbot.webhooks.services import MAX_ADDRESS, MAX_KEEP_HOURS, MAX_NAME

_NAME: Final = {"pattern": more_than_spaces(without=r"\u0000-\u001f\u007f")}
_LABEL: Final = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
# For the schema only; `outbound` decides, including about private networks.
_URL: Final = {"pattern": rf"^https://({_LABEL}\.){{1,8}}[a-z]{{2,63}}(:(443|8443))?(/[!-\"$-\[\]-~]*)?$"}
_KINDS: Final = {"type": "array", "items": {"type": "string", "enum": list(KINDS)}, "minItems": 1}


@extend_schema_field(_KINDS)
class KindsField(serializers.ListField):
    """Kinds of events. The service validates them."""

    child = serializers.CharField(max_length=60)


class WebhookSerializer(serializers.ModelSerializer[WebhookEndpoint]):
    """An endpoint. Its secret is shown only when it is created."""

    kinds = serializers.SerializerMethodField()
    off_reason = serializers.ChoiceField(
        choices=[("", ""), *WebhookEndpoint.Off.choices],
        read_only=True,
        help_text="Why the installation switched the webhook off; empty if it did not.",
    )

    class Meta:
        model = WebhookEndpoint
        fields = [
            "id", "name", "url", "kinds", "includes_customer", "is_on", "off_reason", "failing_since",
            "secret_changed_at", "previous_until", "created_at",
        ]  # fmt: skip
        extra_kwargs = {
            "failing_since": {
                "help_text": "When the first attempt since the last success failed; null if none failed."
            },
            "previous_until": {"help_text": "Deliveries are also signed with the previous secret until this time."},
        }

    @extend_schema_field(_KINDS)
    def get_kinds(self, endpoint: WebhookEndpoint) -> list[str]:
        return sorted(endpoint.kinds)


class NewWebhookSerializer(WebhookSerializer):
    """An endpoint with its new secret, which is shown only once."""

    secret = serializers.CharField()

    class Meta(WebhookSerializer.Meta):
        fields = [*WebhookSerializer.Meta.fields, "secret"]


@example(name="Bookkeeping", url="https://books.example.com/hooks/supportbot", kinds=["action.succeeded"])
class WebhookInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    """A new endpoint."""

    name = TextField(max_length=MAX_NAME, schema=_NAME, trim_whitespace=True)
    url = TextField(max_length=MAX_ADDRESS, schema=_URL)
    kinds = KindsField(max_length=len(KINDS))
    includes_customer = FlagField(
        required=False, help_text="Also send the customer's id in your system, name and e-mail address."
    )


@example(kinds=["action.succeeded", "action.failed"], is_on=True)
class WebhookChangeInput(WebhookInput):
    """Changes to an endpoint. Fields that are left out stay the same."""

    is_on = FlagField(required=False, help_text="Events that happen while the webhook is off are not sent later.")


@example(keep_hours=24)
class RotateInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    """For how many hours deliveries are also signed with the old secret; a day by default."""

    keep_hours = WholeNumberField(required=False, min_value=0, max_value=MAX_KEEP_HOURS)


class DeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    """One event for one endpoint, with the result of the last attempt."""

    message_id = serializers.CharField(read_only=True, help_text="The `webhook-id` that every attempt has.")
    payload = serializers.DictField(
        help_text="The payload's fields depend on the event: supportbot/webhooks/schemas/events.json."
    )

    class Meta:
        model = WebhookDelivery
        fields = [
            "id", "message_id", "kind", "state", "attempts", "created_at", "attempted_at", "due_at", "status",
            "duration_ms", "answer", "error", "payload",
        ]  # fmt: skip
        extra_kwargs = {
            "state": {"help_text": "A `parked` delivery was abandoned and can be sent again."},
            "due_at": {"help_text": "When a waiting delivery is sent next."},
            "answer": {"help_text": "The beginning of the receiver's response."},
            "error": {"help_text": "Why there is no usable response."},
        }


@example(since="2026-01-31T08:00:00Z")
class ReplayInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    """Resends all abandoned deliveries that were created since this time."""

    since = serializers.DateTimeField()

    def validate_since(self, value: Any) -> Any:
        if value > now():
            raise serializers.ValidationError("This time is in the future.")
        return value


class ReplayedSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField(min_value=0)

"""Serializers of the REST views of actions."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from actions.audit import Step
from actions.cards import card_of, reason_of
from actions.models import ActionPolicyVersion, ActionRequest
from actions.money import format_amount
from actions.reasons import MAX_CHARACTERS
from actions.requests.undo import offer_of
from actions.selectors import approvals_given
from supportbot.serializer_fields import ClosedSerializerMixin, OneOfField, TextField, example

# The characters that actions.reasons refuses, for the OpenAPI schema: control characters other than white space.
_LINE: Final = {"pattern": r"^[^\u0000-\u0008\u000e-\u001b\u007f-\u0084\u0086-\u009f]+$"}


@extend_schema_field({"type": ["string", "null"], "example": "12.50"})
class AmountField(serializers.Field[Any, Any, str | None, Any]):
    """An amount with as many decimals as its currency has; the column stores enough for every currency."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(source="*", read_only=True, **options)
        self.name = name

    def to_representation(self, row: Any) -> str | None:
        amount = getattr(row, self.name)
        return None if amount is None else format_amount(amount, row.currency)


class RowSerializer(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]  # DRF has an unrelated attribute of that name
    value = serializers.CharField()


class ReasonSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    text = serializers.CharField()


class SubjectSerializer(serializers.Serializer[Any]):
    """The record that a request is about. The id is empty if the request was refused before the id was known."""

    kind = serializers.CharField(source="subject_kind")
    id = serializers.CharField(source="subject_id", allow_blank=True)


class ApprovalsSerializer(serializers.Serializer[Any]):
    """How many people must approve a request that needs approval, and how many have done so."""

    needed = serializers.SerializerMethodField()
    given = serializers.SerializerMethodField()

    def get_needed(self, request: ActionRequest) -> int:
        return request.approvals_needed if request.needs_approval else 0

    def get_given(self, request: ActionRequest) -> int:
        return approvals_given(request)


class StepSerializer(serializers.Serializer[Step]):
    state = serializers.CharField()
    at = serializers.DateTimeField()
    actor = serializers.CharField()
    reason_code = serializers.CharField()


class ActionRequestSerializer(serializers.ModelSerializer[ActionRequest]):
    """A request as its card shows it; `digest` identifies exactly these arguments."""

    customer = serializers.UUIDField(source="customer_id", read_only=True)
    conversation = serializers.UUIDField(source="conversation_id", read_only=True, allow_null=True)
    subject = SubjectSerializer(source="*", read_only=True)
    order_id = serializers.CharField(
        read_only=True,
        help_text="The subject's id if it is an order, otherwise empty. Deprecated; use `subject`. Will be removed "
        "in 0.3.",
    )
    amount = AmountField("amount")
    undoes = serializers.UUIDField(read_only=True, allow_null=True, help_text="The request that this one undoes.")
    policy_version = serializers.IntegerField(source="policy_version.number", read_only=True)
    state = serializers.CharField(read_only=True)
    arguments = serializers.DictField(read_only=True)
    receipt = serializers.DictField(read_only=True, allow_null=True)
    held_until = serializers.DateTimeField(
        read_only=True,
        allow_null=True,
        help_text="When the request will be sent; until then, the customer can cancel it.",
    )
    approvals = ApprovalsSerializer(source="*", read_only=True)
    title = serializers.SerializerMethodField()
    summary = serializers.SerializerMethodField()
    rows = serializers.SerializerMethodField()
    reason = serializers.SerializerMethodField()

    class Meta:
        model = ActionRequest
        fields = [
            "id", "action", "state", "title", "summary", "rows", "subject", "order_id", "arguments", "amount",
            "currency", "digest", "spec_version", "policy_version", "needs_approval", "approvals", "reason", "receipt",
            "customer", "conversation", "created_at", "changed_at", "expires_at",
            "held_until", "undoes",
        ]  # fmt: skip
        read_only_fields = fields

    def get_title(self, request: ActionRequest) -> str:
        return card_of(request).title

    def get_summary(self, request: ActionRequest) -> str:
        return card_of(request).summary

    @extend_schema_field(RowSerializer(many=True))
    def get_rows(self, request: ActionRequest) -> list[dict[str, str]]:
        return [{"label": row.label, "value": row.value} for row in card_of(request).rows]

    @extend_schema_field(ReasonSerializer(allow_null=True))
    def get_reason(self, request: ActionRequest) -> dict[str, str] | None:
        return reason_of(request)


class UndoSerializer(serializers.Serializer[Any]):
    """The action that undoes a request, and the time until which it is offered."""

    action = serializers.CharField(source="action.name")
    until = serializers.DateTimeField()


class ActionRequestDetailSerializer(ActionRequestSerializer):
    """A request with its history of states, and how it can be undone."""

    steps = StepSerializer(many=True, read_only=True)
    undo = serializers.SerializerMethodField()

    class Meta(ActionRequestSerializer.Meta):
        fields = [*ActionRequestSerializer.Meta.fields, "undo", "steps"]
        read_only_fields = fields

    @extend_schema_field(UndoSerializer(allow_null=True))
    def get_undo(self, request: ActionRequest) -> dict[str, Any] | None:
        offer = offer_of(request)
        return UndoSerializer(offer).data if offer else None


@example(digest="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
class DigestInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    digest = TextField(max_length=200)


@example(words="The parcel is on its way already.", note="Carrier confirmed")
class RejectInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    words = TextField(
        max_length=MAX_CHARACTERS, required=False, allow_blank=True, schema=_LINE, help_text="For the customer."
    )
    note = TextField(
        max_length=MAX_CHARACTERS, required=False, allow_blank=True, schema=_LINE, help_text="For the team only."
    )


@example(outcome="happened", note="The shop's ledger has it as RF-20")
class SettleInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    outcome = OneOfField(choices=["happened", "did_not"])
    note = TextField(
        max_length=MAX_CHARACTERS, required=False, allow_blank=True, schema=_LINE, help_text="For the team only."
    )


class RulesSerializer(serializers.ModelSerializer[ActionPolicyVersion]):
    max_per_subject = AmountField("max_per_order")
    max_per_order = AmountField("max_per_order", help_text="Deprecated; use `max_per_subject`. Will be removed in 0.3.")
    max_per_customer_day = AmountField("max_per_customer_day")
    max_per_customer_year = AmountField("max_per_customer_year")
    max_per_workspace_day = AmountField("max_per_workspace_day")
    approval_above = AmountField("approval_above")
    second_approval_above = AmountField(
        "second_approval_above", help_text="Above this amount, two people have to approve."
    )

    class Meta:
        model = ActionPolicyVersion
        fields = [
            "number", "currency", "max_per_subject", "max_per_order", "max_per_customer_day", "max_per_customer_year",
            "max_per_workspace_day", "max_requests_per_customer_day", "approval_above", "second_approval_above",
            "window_days", "hold_minutes", "is_shadow",
        ]  # fmt: skip
        read_only_fields = fields


class ActionSerializer(serializers.Serializer[Any]):
    """An action and what this workspace allows for it."""

    name = serializers.CharField()
    version = serializers.IntegerField()
    risk = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    arguments = serializers.DictField(help_text="JSON Schema")
    is_enabled = serializers.BooleanField()
    rules = RulesSerializer(allow_null=True)

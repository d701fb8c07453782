"""Serializers of the releases API. They parse and render; the services check and save."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from supportbot.releases.document import (
    ASKERS,
    MAX_GUIDELINES,
    MAX_LINE,
    MAX_NAME,
    MAX_PASSAGES,
    MAX_PRIORITY,
    MAX_ROUTES,
    MAX_TEMPERATURE,
    MAX_TEXT,
    MAX_TOKENS,
    PURPOSES,
    STRICTNESS,
)
from supportbot.releases.evaluation import changed_since, verdict_on
from supportbot.releases.models import Release
from supportbot.serializer_fields import ClosedSerializerMixin, TextField, WholeNumberField, example

_TEXT = {"type": "string", "pattern": r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]*$"}
_GUIDELINE = {
    "type": "object",
    "properties": {
        "when": {"type": "string", "minLength": 1, "maxLength": MAX_LINE},
        "do": {"type": "string", "minLength": 1, "maxLength": MAX_LINE},
        "priority": {"type": "integer", "minimum": 0, "maximum": MAX_PRIORITY},
        "asker": {"type": "string", "enum": list(ASKERS)},
        "languages": {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 12}},
        "author": {"type": "string", "maxLength": 150, "description": "Set by the server."},
    },
    "required": ["when", "do"],
    "additionalProperties": False,
}
_PARAMETERS = {
    "type": "object",
    "properties": {
        "temperature": {"type": ["number", "null"], "minimum": 0, "maximum": MAX_TEMPERATURE},
        "max_output_tokens": {"type": ["integer", "null"], "minimum": 16, "maximum": MAX_TOKENS},
    },
    "additionalProperties": False,
}
_NAMES = {"type": "array", "items": {"type": "string"}}
_VERDICT: dict[str, Any] = {
    "type": ["object", "null"],
    "properties": {
        "passed": {"type": "boolean"},
        "failed_must": _NAMES,
        "regressions": _NAMES,
        "run_ids": {"type": "array", "items": {"type": "string", "format": "uuid"}},
        "at": {"type": "string", "format": "date-time"},
        "outdated": _NAMES,
    },
    "required": ["passed", "failed_must", "regressions", "run_ids", "at", "outdated"],
    "additionalProperties": False,
}
_ROUTE = {"type": "array", "items": {"type": "string"}, "maxItems": MAX_ROUTES, "uniqueItems": True}
DOCUMENT = {
    "type": "object",
    "properties": {
        "name": {**_TEXT, "maxLength": MAX_NAME},
        "greetings": {"type": "object", "additionalProperties": {"type": "string"}, "description": "By language."},
        "tone": {**_TEXT, "maxLength": MAX_LINE},
        "rules": {
            **_TEXT,
            "maxLength": MAX_TEXT,
            "description": "Leave empty for the rules that come with SupportBot.",
        },
        "instructions": {**_TEXT, "maxLength": MAX_TEXT},
        "guidelines": {"type": "array", "items": _GUIDELINE, "maxItems": MAX_GUIDELINES},
        "hand_over_when": {**_TEXT, "maxLength": MAX_LINE},
        "strictness": {"type": "string", "enum": list(STRICTNESS)},
        "passages": {"type": "integer", "minimum": 1, "maximum": MAX_PASSAGES},
        "routes": {
            "type": "object",
            "properties": dict.fromkeys(PURPOSES, _ROUTE),
            "additionalProperties": False,
            "description": "Connections to models by purpose, best first.",
        },
        "parameters": {
            "type": "object",
            "properties": dict.fromkeys(PURPOSES, _PARAMETERS),
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}


@extend_schema_field(DOCUMENT)
class DocumentField(serializers.JSONField):
    """The document of a release, which the service parses."""


class ReleaseSerializer(serializers.ModelSerializer[Release]):
    """A release. `number` counts the releases of the workspace."""

    document = DocumentField(read_only=True)
    references = serializers.DictField(
        read_only=True,
        help_text="What the release referred to when it was published: versions of action rules and the live articles.",
    )

    verdict = serializers.SerializerMethodField(
        help_text=(
            "The gates' verdict on this content: whether it `passed`, the `must` cases that it fails and its "
            "regressions (each as `suite: case`), and the ids of its runs. Null if they have not judged it, or if "
            "the gates of a draft have changed since. `outdated` lists what has changed since, such as `knowledge` "
            "or `suites`; unless it is empty, the draft must be evaluated again before it can be published."
        )
    )
    evaluation_problem = serializers.CharField(
        source="judging_problem", read_only=True, help_text="Why the gates could not judge it; empty if they could."
    )

    class Meta:
        model = Release
        fields = [
            "id", "number", "state", "document", "reason", "author_name", "based_on", "restores", "references",
            "verdict", "evaluation_problem", "override_reason", "created_at", "published_at", "published_by",
            "replaced_at",
        ]  # fmt: skip

    @extend_schema_field(_VERDICT)
    def get_verdict(self, release: Release) -> dict[str, Any] | None:
        found = verdict_on(release) if release.is_draft else release.verdict
        if found is None or not release.is_about(found["digest"]):
            return None
        changed = changed_since(release, found) if release.is_draft else []
        return {**{name: found[name] for name in _VERDICT["properties"] if name in found}, "outdated": changed}


@example(document={"tone": "warm and brief"})
class DraftInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    """The fields that differ from those of the live release or, if it is given, of `made_from`."""

    document = DocumentField(required=False)
    made_from = serializers.UUIDField(required=False, help_text="The release to copy; by default, the live one.")


class LiveInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    instead_of = WholeNumberField(min_value=1, max_value=2_147_483_647, help_text="The number of the live release.")
    reason = TextField(max_length=300)


@example(instead_of=3, reason="A warmer tone")
class PublishInput(LiveInput):
    override = TextField(
        max_length=300,
        required=False,
        allow_blank=True,
        help_text="The reason for publishing it although it has not passed the gates. Needs `releases:override`.",
    )


@example(instead_of=4, reason="The new tone annoys customers")
class RestoreInput(LiveInput):
    override = TextField(
        max_length=300,
        required=False,
        allow_blank=True,
        help_text="The reason for restoring it although it has not passed the gates. Needs `releases:override`.",
    )

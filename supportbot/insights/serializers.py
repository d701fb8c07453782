"""Serializers of the REST views of insights."""

from typing import Any

from rest_framework import serializers

from supportbot.insights.outcomes import Ending


class OutcomeSerializer(serializers.Serializer[Any]):
    """One conversation and what became of it. docs/console.md explains the endings."""

    conversation = serializers.UUIDField()
    customer = serializers.UUIDField()
    began_at = serializers.DateTimeField(help_text="In the workspace's time zone, as are `day` and `hour`.")
    day = serializers.DateField()
    hour = serializers.IntegerField(min_value=0, max_value=23)
    channel = serializers.UUIDField(allow_null=True)
    channel_name = serializers.CharField()
    language = serializers.CharField(help_text="Of the first question, such as `de`.")
    ending = serializers.ChoiceField(choices=[ending.value for ending in Ending])
    came_back = serializers.BooleanField(help_text="The customer asked in another conversation within 7 days.")
    reopened = serializers.BooleanField(help_text="The customer asked again after it was resolved, or a day later.")
    first_response_seconds = serializers.FloatField(
        allow_null=True, help_text="From the first question to the first word of an answer."
    )
    resolution_seconds = serializers.FloatField(
        allow_null=True, help_text="From the first question to the last answer, of those that ended well."
    )
    waits_seconds = serializers.ListField(
        child=serializers.FloatField(), help_text="From each request for a person until the first agent joined."
    )
    agent = serializers.UUIDField(allow_null=True, help_text="The person of the team who wrote last.")
    agent_name = serializers.CharField()
    assistant_scores = serializers.ListField(child=serializers.IntegerField(min_value=1, max_value=5))
    person_scores = serializers.ListField(child=serializers.IntegerField(min_value=1, max_value=5))
    costs = serializers.DictField(
        child=serializers.CharField(),
        allow_null=True,
        help_text="What model calls cost, by currency; null without the scope `costs:read`.",
    )

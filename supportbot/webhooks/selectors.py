"""Finds endpoints and deliveries in the current workspace."""

from uuid import UUID

from django.db.models import QuerySet

from supportbot.errors import NotFound
from supportbot.webhooks.models import WebhookDelivery, WebhookEndpoint


def listed_endpoints() -> "QuerySet[WebhookEndpoint]":
    """Return the workspace's endpoints, sorted by name, without decrypting their secrets."""
    return WebhookEndpoint.objects.defer("secret", "previous_secret").order_by("name")


def endpoint_with_id(endpoint_id: UUID) -> WebhookEndpoint:
    """Return an endpoint of the workspace; raises NotFound."""
    found = listed_endpoints().filter(pk=endpoint_id).first()
    if found is None:
        raise NotFound()
    return found


def deliveries_of(endpoint: WebhookEndpoint) -> "QuerySet[WebhookDelivery]":
    return WebhookDelivery.objects.filter(endpoint=endpoint)


def delivery_of(endpoint: WebhookEndpoint, delivery_id: UUID) -> WebhookDelivery:
    """Return one of an endpoint's deliveries; raises NotFound."""
    found = deliveries_of(endpoint).filter(pk=delivery_id).first()
    if found is None:
        raise NotFound()
    return found


def count_switched_off() -> int:
    """Return how many endpoints the installation has switched off because they did not respond."""
    return WebhookEndpoint.objects.filter(is_on=False).exclude(off_reason="").count()

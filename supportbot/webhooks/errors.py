from django.utils.translation import gettext_noop

from supportbot.errors import SupportBotError


class WebhookError(SupportBotError):
    """The base of this package's errors."""


class EndpointOff(WebhookError):
    code = "webhook_off"
    status = 409
    default_message = gettext_noop("This webhook is switched off. Switch it on, then try again.")


class TooManyEndpoints(WebhookError):
    code = "too_many_webhooks"
    status = 409
    default_message = gettext_noop("This workspace already has 20 webhooks, the maximum. Delete one first.")

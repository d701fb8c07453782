"""Verifying that a call is from the platform. Standard Webhooks: HMAC over id, time and body, with a tolerance of five
minutes.
"""

from django.http import HttpRequest
from standardwebhooks import Webhook, WebhookVerificationError

from shop.errors import NotSigned


def verify_signature(request: HttpRequest, secret: str) -> None:
    """Raise NotSigned unless the body has a fresh signature with the secret. A GET signs the empty body."""
    try:
        Webhook(secret).verify(request.body, dict(request.headers), json_parse=False)
    # The library raises ValueError for a header without a comma, for broken base64 and for a body that is not UTF-8.
    except (WebhookVerificationError, ValueError) as wrong:
        raise NotSigned("This call is not signed, or its signature is wrong or older than five minutes.") from wrong

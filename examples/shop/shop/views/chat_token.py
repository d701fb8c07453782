"""The only endpoint that the chat needs from a shop: a token for the signed-in customer, signed by the shop's
server.
"""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_POST

from shop.environment import environment
from shop.identity import sign_identity
from shop.log_in import signed_in


@require_POST
def chat_token(request: HttpRequest) -> JsonResponse:
    """Return a token for the customer of the session, whatever the page requests."""
    customer = signed_in(request)
    if customer is None:
        return JsonResponse({"code": "signed_out", "message": "Nobody is signed in.", "fields": {}}, status=401)
    token = sign_identity(
        customer_id=customer.id,
        name=customer.name,
        email=customer.email,
        locale=customer.locale,
        channel_key=environment().channel_key,
        secret=environment().identity_secret,
    )
    return JsonResponse({"token": token})

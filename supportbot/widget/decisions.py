"""What a customer decides about a proposed action, over their own socket: for who has proven lately who they are."""

from uuid import UUID

from actions import services
from actions.principals import principal_of
from supportbot.accounts.callers import CustomerCaller
from supportbot.accounts.confirming import check_may_confirm_here


def confirm(_conversation_id: UUID, *, caller: CustomerCaller, request: UUID, digest: str) -> None:
    """Let the customer's own card go on, exactly as it was shown; the log tells what becomes of it.

    Raises NotFound for a request of somebody else, ConfirmOnHostedPage where the channel wants our own page for it,
    IdentityExpired, and what `actions.services.confirm` refuses.
    """
    check_may_confirm_here(caller)
    services.confirm(request, principal=principal_of(caller), digest=digest)


def decline(_conversation_id: UUID, *, caller: CustomerCaller, request: UUID) -> None:
    """Say no to the customer's own card, or withdraw what has not been sent; raises NotFound or NotWaiting."""
    services.decline(request, principal=principal_of(caller))

"""Checks whether a customer may confirm any action here, before the action itself is checked."""

from django.utils.timezone import now

from supportbot.accounts.errors import ConfirmOnHostedPage, IdentityExpired
from supportbot.accounts.models import Channel
from supportbot.accounts.principals import CustomerCaller


def check_may_confirm_here(caller: CustomerCaller) -> None:
    """Raise ConfirmOnHostedPage if the channel requires the hosted page, or IdentityExpired if the sign-in has expired.

    Call this inside the workspace's scope. `actions` checks the request and its owner.
    """
    channel = Channel.objects.filter(pk=caller.channel_id).first() if caller.channel_id else None
    if channel is not None and channel.confirms_on_hosted_page and not caller.is_hosted:
        raise ConfirmOnHostedPage()
    if caller.expires_at is not None and caller.expires_at <= now():
        raise IdentityExpired()

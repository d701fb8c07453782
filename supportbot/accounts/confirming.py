"""Where a customer may confirm an action, before anybody looks at which action it is."""

from django.utils.timezone import now

from supportbot.accounts.errors import ConfirmOnHostedPage, IdentityExpired
from supportbot.accounts.models import Channel
from supportbot.accounts.principals import CustomerCaller


def check_may_confirm_here(caller: CustomerCaller) -> None:
    """Raise ConfirmOnHostedPage if the channel wants it on our own page, IdentityExpired if the proof has run out.

    Call inside the workspace's scope. Whose request it is and what it says is for the room of actions to check.
    """
    channel = Channel.objects.filter(pk=caller.channel_id).first() if caller.channel_id else None
    if channel is not None and channel.confirms_on_hosted_page and not caller.is_hosted:
        raise ConfirmOnHostedPage()
    if caller.expires_at is not None and caller.expires_at <= now():
        raise IdentityExpired()

"""What a page is told of its channel, with a ticket."""

from typing import Any

from supportbot.accounts.embedding import hosted_url
from supportbot.accounts.look import addressed, look_of
from supportbot.accounts.models import Channel
from supportbot.chat.log import is_open
from supportbot.chat.models import Conversation
from supportbot.chat.notice import ai_notice
from supportbot.widget.socket.protocol import LIMITS


def config_of(channel: Channel, conversation: Conversation) -> dict[str, Any]:
    """Return the channel's words in the language of a conversation, its look and its rules."""
    locale, customer = conversation.locale, conversation.customer
    return {
        "channel": channel.name,
        "name": channel.assistant_name,
        "locale": locale,
        "greeting": addressed(channel.greeting_in(locale), customer.name),
        "notice": ai_notice(locale),
        "limits": LIMITS,
        "suggestions": channel.suggestions_in(locale),
        "look": look_of(channel.accent),
        "privacy_url": channel.privacy_url,
        "confirm_on_hosted_page": channel.confirms_on_hosted_page,
        "hosted_url": hosted_url(channel.key),
        "is_ended": not is_open(conversation),
    }

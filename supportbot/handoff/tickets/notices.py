"""Notices to customers who wait for the team, and e-mails to those who have left.

All are messages in the catalogues.
"""

from typing import Final

from supportbot.translation import msgid

TEAM_AWAY: Final = msgid(
    "Our team is not available right now. Leave your e-mail address here and we will reply by e-mail."
)
TEAM_AWAY_WITH_ADDRESS: Final = msgid(
    "Our team is not available right now. We will reply to {address}. To use a different address, enter it here."
)
TEAM_HOURS: Final = msgid("Our hours: {hours}.")
INVALID_ADDRESS: Final = msgid("That does not look like a valid e-mail address. Enter it like name@example.com.")
SEVERAL_ADDRESSES: Final = msgid("Which address should we use? Please send only that address.")
ADDRESS_NOTED: Final = msgid("Thank you. We will reply to {address}.")
WAIT_TAKES_LONGER: Final = msgid(
    "This is taking longer than expected. We have moved your request up the queue. You can also leave your e-mail "
    "address here and we will reply by e-mail."
)
WAIT_TAKES_LONGER_WITH_ADDRESS: Final = msgid(
    "This is taking longer than expected. We have moved your request up the queue. You do not have to wait here: we "
    "will also reply to {address}."
)
WAIT_EXPIRED: Final = msgid(
    "We are sorry that nobody could help you within a day. The assistant is answering again; you can ask for a "
    "person at any time."
)
MAIL_SUBJECT: Final = msgid("Reply from {workspace}")
MAIL_CLOSING: Final = msgid(
    "{agent}, {workspace}\n\nThis is a reply to your chat with us. To respond, please return to the chat."
)

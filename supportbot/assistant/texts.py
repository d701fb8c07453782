"""The assistant's own texts, which `text_in` translates. They are short, plain and honest."""

from typing import Final

from supportbot.translation import msgid

NOT_FOUND: Final = msgid(
    "I could not find this in our help pages, so I would rather not guess. Would you like to talk to a person?"
)
CLOSEST_PAGES: Final = msgid("This is the closest I found, but it may not answer your question:")
BUSY: Final = msgid("Many customers are asking questions right now. You will get an answer in a moment.")
READING: Final = msgid("Reading “{title}”")
SEARCHING: Final = msgid("Looking through our help pages")
TO_PERSON: Final = msgid("I am passing this on to a person.")
STILL_WORKING: Final = msgid("This is taking longer than usual")
CONFIRM: Final = msgid("Please check the card. Nothing happens until you confirm.")
CONFIRM_ABOVE: Final = msgid("The card for this is further up in the chat. Nothing happens until you confirm it there.")
AWAITS_APPROVAL: Final = msgid("A colleague still has to decide on this. Nothing happens before then.")
UNDER_WAY: Final = msgid("This request is already under way, so nothing new was started.")
ALREADY_CONFIRMED: Final = msgid("You have already confirmed the earlier card, so no new one was prepared.")
SHOP_SILENT: Final = msgid(
    "Our system is not responding at the moment, so I cannot look anything up or prepare anything. "
    "Please try again in a few minutes."
)
UNCONFIRMED: Final = msgid("Our help pages do not confirm this answer. A person can check it for you.")
LEFT_OUT: Final = msgid("(left out: our help pages do not say this)")
WITHDRAWN: Final = msgid("All right, I have withdrawn the card. Nothing was done.")
WITHDRAWN_REQUEST: Final = msgid("All right, I have withdrawn the request. Nothing was done.")
NONE_OF_YOURS: Final = msgid(
    "I could not find anything in your account that your message could refer to. Would you like to talk to a person?"
)
CANNOT_UNDO: Final = msgid("I cannot undo this here. Would you like to talk to a person?")
NOTHING_OF_THE_KIND: Final = msgid("Nothing like that was done in this chat.")
NOTHING_TO_UNDO: Final = msgid("There is nothing in this chat that I can undo. Would you like to talk to a person?")

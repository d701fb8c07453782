"""What the customer is told while people are sought, in the conversation's language; English where we have no other."""

from typing import Final

from supportbot.language.detection import base_language

TEAM_AWAY: Final = {
    "en": "Nobody of our team is here right now. Write your e-mail address here, and we will reply there.",
    "de": "Gerade ist niemand aus unserem Team da. Schreiben Sie hier Ihre E-Mail-Adresse, dann antworten wir dorthin.",
}
TEAM_AWAY_WITH_ADDRESS: Final = {
    "en": "Nobody of our team is here right now. We will reply to {address}. Write another address here if that one "
    "does not suit you.",
    "de": "Gerade ist niemand aus unserem Team da. Wir antworten an {address}. Schreiben Sie hier eine andere Adresse, "
    "wenn diese nicht passt.",
}
INVALID_ADDRESS: Final = {
    "en": "This is no e-mail address we can write to. Write it like name@example.com.",
    "de": "An diese E-Mail-Adresse können wir nicht schreiben. Schreiben Sie sie wie name@example.com.",
}
SEVERAL_ADDRESSES: Final = {
    "en": "Which address shall we write to? Please write only that one.",
    "de": "An welche Adresse sollen wir schreiben? Bitte schreiben Sie nur diese.",
}
ADDRESS_NOTED: Final = {
    "en": "Thank you. We will reply to {address}.",
    "de": "Danke. Wir antworten an {address}.",
}
WAIT_TAKES_LONGER: Final = {
    "en": "This takes longer than we said. Your request has been moved up. You can also write your e-mail "
    "address here, and we will reply there.",
    "de": "Es dauert länger als angekündigt. Ihre Anfrage wurde vorgezogen. Sie können hier auch Ihre E-Mail-Adresse "
    "schreiben, dann antworten wir dorthin.",
}
WAIT_TAKES_LONGER_WITH_ADDRESS: Final = {
    "en": "This takes longer than we said. Your request has been moved up. You need not wait here: we will also reply "
    "to {address}.",
    "de": "Es dauert länger als angekündigt. Ihre Anfrage wurde vorgezogen. Sie müssen hier nicht warten: Wir "
    "antworten auch an {address}.",
}
WAIT_EXPIRED: Final = {
    "en": "Nobody could take over within a day. The assistant answers again; you can ask for a person at any time.",
    "de": "Innerhalb eines Tages konnte niemand übernehmen. Der Assistent antwortet wieder; Sie können jederzeit nach "
    "einem Menschen fragen.",
}
MAIL_SUBJECT: Final = {"en": "Reply from {workspace}", "de": "Antwort von {workspace}"}
MAIL_CLOSING: Final = {
    "en": "{agent}, {workspace}\n\nThis answers what you asked in our chat. Go on there to answer.",
    "de": "{agent}, {workspace}\n\nDas antwortet auf Ihre Frage in unserem Chat. Antworten Sie gern dort.",
}


def localized(texts: dict[str, str], locale: str) -> str:
    """Return the text in the language of a locale such as `de-AT`."""
    return texts.get(base_language(locale), texts["en"])

"""Notices to a customer who waits for the team, in the conversation's language, by default in English."""

from typing import Final

from supportbot.language.detection import base_language

TEAM_AWAY: Final = {
    "en": "Our team is not available right now. Leave your e-mail address here and we will reply by e-mail.",
    "de": "Unser Team ist gerade nicht erreichbar. Hinterlassen Sie hier Ihre E-Mail-Adresse, dann antworten wir Ihnen "
    "per E-Mail.",
}
TEAM_AWAY_WITH_ADDRESS: Final = {
    "en": "Our team is not available right now. We will reply to {address}. To use a different address, enter it here.",
    "de": "Unser Team ist gerade nicht erreichbar. Wir antworten an {address}. Möchten Sie eine andere Adresse "
    "verwenden, geben Sie sie hier ein.",
}
INVALID_ADDRESS: Final = {
    "en": "That does not look like a valid e-mail address. Enter it like name@example.com.",
    "de": "Diese E-Mail-Adresse ist offenbar ungültig. Geben Sie sie bitte in der Form name@example.com ein.",
}
SEVERAL_ADDRESSES: Final = {
    "en": "Which address should we use? Please send only that one.",
    "de": "Welche Adresse sollen wir verwenden? Bitte senden Sie nur diese.",
}
ADDRESS_NOTED: Final = {
    "en": "Thank you. We will reply to {address}.",
    "de": "Danke. Wir antworten an {address}.",
}
WAIT_TAKES_LONGER: Final = {
    "en": "This is taking longer than expected. We have moved your request up the queue. You can also leave your "
    "e-mail address here and we will reply by e-mail.",
    "de": "Es dauert leider länger als erwartet. Wir haben Ihre Anfrage vorgezogen. Sie können hier auch Ihre "
    "E-Mail-Adresse hinterlassen, dann antworten wir Ihnen per E-Mail.",
}
WAIT_TAKES_LONGER_WITH_ADDRESS: Final = {
    "en": "This is taking longer than expected. We have moved your request up the queue. You do not have to wait here: "
    "we will also reply to {address}.",
    "de": "Es dauert leider länger als erwartet. Wir haben Ihre Anfrage vorgezogen. Sie müssen hier nicht warten: Wir "
    "antworten auch an {address}.",
}
WAIT_EXPIRED: Final = {
    "en": "We are sorry that nobody could help you within a day. The assistant is answering again; you can ask for a "
    "person at any time.",
    "de": "Leider konnte Ihnen innerhalb eines Tages niemand helfen. Der Assistent antwortet wieder; Sie können "
    "jederzeit nach einem Menschen fragen.",
}
MAIL_SUBJECT: Final = {"en": "Reply from {workspace}", "de": "Antwort von {workspace}"}
MAIL_CLOSING: Final = {
    "en": "{agent}, {workspace}\n\nThis is a reply to your chat with us. To answer, please return to the chat.",
    "de": "{agent}, {workspace}\n\nDies ist eine Antwort auf Ihre Frage in unserem Chat. Wenn Sie antworten möchten, "
    "schreiben Sie uns bitte dort.",
}


def localized(texts: dict[str, str], locale: str) -> str:
    """Return the text in a locale's language; `de-AT` gives German."""
    return texts.get(base_language(locale), texts["en"])

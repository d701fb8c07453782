"""Notices to customers before the first answer (EU AI Act, Article 50) and at the end of a conversation."""

from supportbot.translation import text_in


def ai_notice(locale: str) -> str:
    """Return the notice in the language of a locale, or in English if there is no translation."""
    return text_in(
        locale,
        "You are talking to an AI assistant. It answers from our help pages. A person can take over at any time.",
    )


def end_notice(locale: str) -> str:
    """Return the notice that the customer has ended the conversation, in the locale's language, or in English if there
    is no translation.
    """
    return text_in(locale, "You have ended this conversation. Start a new one at any time.")

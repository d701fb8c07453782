"""Courtesies that need no help page: a greeting, thanks, a goodbye, "who are you". Pure.

Only for texts that are nothing more: "Hello, where is my parcel?" is a question.
"""

import re

from supportbot.llm.extractive.phrases import Phrase

_FILLER = (
    r"(?:[ ,]+(?:there|all|everyone|you|team|bot|so much|a lot|very much|again|too|dear|"
    r"zusammen|nochmal|sehr|auch|euch|ihnen|dir|leute))*"
)
_BEING = r"(?:bot|robot|human|person|ai|chatbot|machine|real|roboter|mensch(?:en)?|ki|maschine|echt)"
_A = r"(?:an? |eine?[mr]? )?(?:real |actual |echte[nr]? |richtige[nr]? )?"
_PATTERNS: tuple[tuple[Phrase, tuple[str, ...]], ...] = (
    (
        "greeting",
        (
            r"hi|hello|hey|hiya|howdy|greetings|good (?:morning|afternoon|evening|day)",
            r"hallo|hallöchen|moin(?: moin)?|servus|tag|guten (?:tag|morgen|abend)",
            r"gr(?:ü|ue)(?:ß|ss) (?:gott|dich|euch|sie)",
        ),
    ),
    (
        "thanks",
        (
            r"(?:(?:ok(?:ay)?|great|perfect|super|good|nice|cool) )?(?:thanks|thank you|thx|cheers)|much appreciated",
            r"(?:(?:ok(?:ay)?|super|alles klar|prima) )?(?:danke(?: ?schön)?|(?:vielen|besten|herzlichen) dank|merci)",
        ),
    ),
    (
        "goodbye",
        (
            r"bye|goodbye|bye bye|see you|see ya|have a (?:nice|good|great) day",
            r"tsch(?:ü|ue)(?:ss|ß)|auf wiedersehen|ciao|bis bald|schönen tag(?: noch)?",
        ),
    ),
    (
        "who",
        (
            rf"(?:who|what) (?:are|r) (?:you|u)(?: exactly)?|are (?:you|u) {_A}{_BEING}(?: or {_A}{_BEING})?",
            rf"am i (?:talking|speaking|chatting) (?:to|with) {_A}{_BEING}|what(?: i|')s your name",
            rf"(?:wer|was) (?:bist du|sind sie)|(?:bist du|sind sie) {_A}{_BEING}(?: oder {_A}{_BEING})?",
            rf"(?:schreibe|spreche|rede|chatte) ich (?:hier )?mit {_A}{_BEING}",
            r"wie hei(?:ß|ss)t du|wie hei(?:ß|ss)en sie",
        ),
    ),
    (
        "can_do",
        (
            r"what (?:else )?(?:can|do) you do|(?:what|how) can (?:you|u) help(?: me)?(?: with)?"
            r"|what can i ask(?: you)?|how do you work|help",
            r"was (?:kannst du|können sie)(?: alles)?(?: für mich tun)?"
            r"|wobei (?:kannst du|können sie)(?: mir)? helfen|was kann ich (?:dich |sie )?fragen|hilfe",
        ),
    ),
    (
        "how_are_you",
        (
            r"how are (?:you|u)(?: doing)?(?: today)?|how's it going|what's up",
            r"wie geht(?:'s| es)(?: dir| ihnen)?|alles gut",
        ),
    ),
)
_SMALL_TALK = [
    (phrase, re.compile(rf"(?:{'|'.join(patterns)}){_FILLER}", re.IGNORECASE)) for phrase, patterns in _PATTERNS
]
_TEXT_MOST = 120


def courtesy_in(text: str) -> Phrase | None:
    """Return which courtesy the whole text is, None if it says anything more. Of several the last counts."""
    if len(text) > _TEXT_MOST:
        return None
    said = " ".join(text.replace("’", "'").split())
    parts = [part.strip(" ,") for part in re.split(r"[.!?;:)(]+|, ", said) if part.strip(" ,")]
    found = [_courtesy(part) for part in parts]
    return found[-1] if found and None not in found else None


def _courtesy(part: str) -> Phrase | None:
    return next((phrase for phrase, pattern in _SMALL_TALK if pattern.fullmatch(part)), None)

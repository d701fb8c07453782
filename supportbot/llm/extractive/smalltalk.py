"""Courtesies that need no help page: a greeting, thanks, a goodbye, "who are you". Pure; only for texts that are no more."""

import re

from supportbot.llm.extractive.phrases import Phrase

_FILLER = r"(?:[ ,]+(?:there|all|everyone|you|team|bot|so much|a lot|very much|again|too|dear|zusammen|nochmal|sehr|auch|euch|ihnen|dir|leute|lieber assistent))*"
_PATTERNS: tuple[tuple[Phrase, str], ...] = (
    (
        "greeting",
        r"(?:hi|hello|hey|hiya|howdy|good (?:morning|afternoon|evening|day)|greetings|hallo|hi|moin(?: moin)?|servus|guten (?:tag|morgen|abend)|"
        r"gr(?:ü|ue)(?:ß|ss) (?:gott|dich|euch|sie)|tag|hallöchen)",
    ),
    (
        "thanks",
        r"(?:(?:ok(?:ay)?|great|perfect|super|good|nice|cool|alles klar|prima)[ ,]+)?"
        r"(?:thanks|thank you|thx|ty|cheers|much appreciated|danke(?:schön| schön)?|vielen dank|besten dank|herzlichen dank|merci)",
    ),
    (
        "goodbye",
        r"(?:bye|goodbye|bye bye|see you|see ya|have a (?:nice|good|great) day|tsch(?:ü|ue)(?:ss|ß)|auf wiedersehen|ciao|bis bald|schönen tag(?: noch)?)",
    ),
    (
        "who",
        r"(?:who|what) (?:are|r) (?:you|u)(?: exactly)?|are (?:you|u) (?:a |an )?(?:real |actual )?(?:bot|robot|human|person|ai|chatbot|machine|real)(?: or (?:a |an )?(?:bot|robot|human|person|ai))?|"
        r"am i (?:talking|speaking|chatting) (?:to|with) (?:a |an )?(?:real |actual )?(?:bot|robot|human|person|ai|chatbot|machine)|what is your name|what's your name|what can you do|"
        r"wer (?:bist du|sind sie)|was (?:bist du|sind sie)|(?:bist du|sind sie) (?:ein |eine )?(?:echter |echte |richtiger )?(?:bot|roboter|mensch|ki|person|chatbot|maschine|echt)|"
        r"(?:schreibe|spreche|rede|chatte) ich (?:hier )?mit (?:einem |einer )?(?:echten )?(?:bot|roboter|menschen|ki|person|maschine)|wie heißt du|wie heißen sie|was (?:kannst du|können sie)",
    ),
    (
        "how_are_you",
        r"how are (?:you|u)(?: doing)?(?: today)?|how's it going|what's up|wie geht(?:'s| es)(?: dir| ihnen)?|alles gut",
    ),
)
_SMALL_TALK = [(phrase, re.compile(rf"(?:{pattern}){_FILLER}", re.IGNORECASE)) for phrase, pattern in _PATTERNS]


def courtesy_in(text: str) -> Phrase | None:
    """Return which courtesy the whole text is, None if it says anything more. "Hello, thanks!" is its last part."""
    said = " ".join(text[:120].replace("’", "'").split())
    parts = [part.strip(" ,") for part in re.split(r"[.!?;:)(]+|, ", said) if part.strip(" ,")]
    found = [_courtesy(part) for part in parts]
    if len(text) > 120 or not found or any(phrase is None for phrase in found):
        return None
    return found[-1]


def _courtesy(part: str) -> Phrase | None:
    return next((phrase for phrase, pattern in _SMALL_TALK if pattern.fullmatch(part)), None)

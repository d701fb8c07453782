"""Every sentence the built-in answerer says in its own words. Short, plain, honest; no promise it cannot keep."""

from typing import Literal

Phrase = Literal[
    "not_found", "to_person", "no_person", "greeting", "thanks", "goodbye", "who", "can_do", "how_are_you",
    "upset", "wants", "last_said", "answered", "nothing_said",
]  # fmt: skip

_ENGLISH: dict[Phrase, str] = {
    "not_found": (
        "I could not find this in our help pages, so I would rather not guess. Would you like to talk to a person?"
    ),
    "to_person": "I am passing this on to a person.",
    "no_person": 'A person can take over at any time: choose "Talk to a person".',
    "greeting": (
        "Hello. You are talking to an AI assistant that answers from our help pages. What would you like to know?"
    ),
    "thanks": "You are welcome. I am an AI assistant; ask me anything else about our help pages.",
    "goodbye": "Goodbye. This AI assistant is here whenever you need it.",
    "who": (
        "I am an AI assistant. I answer by quoting our help pages word for word. A person can take over at any time."
    ),
    "can_do": (
        "I answer questions from our help pages and show the page each answer is from. When you are signed in, I can "
        "also look up your orders and prepare what you want done with them; nothing happens until you confirm it. "
        "A person can take over at any time."
    ),
    "how_are_you": "I am an AI assistant, ready to look things up in our help pages. What would you like to know?",
    "upset": "I am sorry about that. Would you like to talk to a person?",
    "wants": "Wants",
    "last_said": "Last said",
    "answered": "Answered",
    "nothing_said": "The customer has not written anything yet.",
}
_GERMAN: dict[Phrase, str] = {
    "not_found": (
        "Dazu steht nichts in unseren Hilfeseiten, deshalb möchte ich nicht raten. "
        "Möchten Sie mit einem Menschen sprechen?"
    ),
    "to_person": "Ich gebe Ihre Frage an einen Menschen weiter.",
    "no_person": "Ein Mensch kann jederzeit übernehmen: Wählen Sie „Mit einem Menschen sprechen“.",
    "greeting": (
        "Guten Tag. Sie schreiben mit einem KI-Assistenten, der aus unseren Hilfeseiten antwortet. "
        "Was möchten Sie wissen?"
    ),
    "thanks": "Gern geschehen. Ich bin ein KI-Assistent; fragen Sie mich gern noch etwas zu unseren Hilfeseiten.",
    "goodbye": "Auf Wiedersehen. Dieser KI-Assistent ist da, wenn Sie ihn brauchen.",
    "who": (
        "Ich bin ein KI-Assistent. Ich antworte, indem ich unsere Hilfeseiten wörtlich zitiere. "
        "Ein Mensch kann jederzeit übernehmen."
    ),
    "can_do": (
        "Ich beantworte Fragen aus unseren Hilfeseiten und zeige, woher die Antwort stammt. Wenn Sie angemeldet sind, "
        "sehe ich auch Ihre Bestellungen nach und bereite vor, was damit geschehen soll; nichts geschieht, bevor Sie "
        "es bestätigen. Ein Mensch kann jederzeit übernehmen."
    ),
    "how_are_you": (
        "Ich bin ein KI-Assistent und schlage gern etwas in unseren Hilfeseiten nach. Was möchten Sie wissen?"
    ),
    "upset": "Das tut mir leid. Möchten Sie mit einem Menschen sprechen?",
    "wants": "Möchte",
    "last_said": "Zuletzt gesagt",
    "answered": "Beantwortet",
    "nothing_said": "Die Kundin oder der Kunde hat noch nichts geschrieben.",
}
_BY_LANGUAGE = {"en": _ENGLISH, "de": _GERMAN}


def say(phrase: Phrase, language: str) -> str:
    """Return a phrase in `language`, in English where we have no other."""
    return _BY_LANGUAGE.get(language, _ENGLISH)[phrase]


def names_the_way_to_a_person(text: str) -> bool:
    """Return whether `text` tells how a person is reached, and nothing else."""
    return any(text == phrases["no_person"] for phrases in _BY_LANGUAGE.values())


def is_offer_of_a_person(text: str) -> bool:
    """Return whether `text` ends in our question whether to talk to a person."""
    return any(text.rstrip().endswith(phrases["not_found"].split(". ")[-1]) for phrases in _BY_LANGUAGE.values())

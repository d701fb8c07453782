"""Courtesies that need no help page: a greeting, thanks, a goodbye, "who are you", a swear word. Pure.

Only for texts that are nothing more: "Hello, where is my parcel?" is a question.
"""

import re
from typing import Literal

Courtesy = Literal["greeting", "thanks", "goodbye", "who", "can_do", "how_are_you", "upset"]

_FILLER = (
    r"(?:[ ,]+(?:there|all|everyone|you|team|bot|so much|a lot|very much|again|too|dear|"
    r"zusammen|nochmal|sehr|auch|euch|ihnen|dir|leute))*"
)
_BEING = r"(?:bot|robot|human|person|ai|chatbot|machine|real|roboter|mensch(?:en)?|ki|maschine|echt)"
_HELPED = (
    r"(?:(?:that|this|it|you|your answer) )?(?:really |just |already )?(?:helped|helps|was helpful|is helpful)"
    r"(?: (?:me|us))?(?: out)?"
)
_GEHOLFEN = (
    r"(?:(?:das|es|sie haben|du hast) )?(?:hat )?(?:mir |uns )?(?:schon |sehr |wirklich )*(?:weiter)?geholfen"
    r"|(?:das |es )?hilft (?:mir |uns )?(?:schon |sehr )*(?:weiter)?"
)
_FOR = (
    r"(?: for (?:(?:all )?your|the|all the) (?:quick |fast |kind )?"
    r"(?:help|support|time|answer|reply|response|info(?:rmation)?)"
    r"| for (?:helping|answering)(?: (?:me|us))?)?"
)
_FUER = (
    r"(?: für (?:ihre|die|deine|eure) (?:schnelle |nette )?"
    r"(?:hilfe|antwort|auskunft|info(?:rmation)?|mühe|unterstützung))?"
)
_VERY = r"(?:an? |the |such |so |really |very |just |totally |completely |absolutely |fucking |bloody )*"
_BAD = (
    r"(?:useless|stupid|dumb|idiots?|idiotic|crap|shit(?:ty)?|bullshit|terrible|awful|horrible|worst|joke|ridiculous"
    r"|pathetic|trash|garbage|rubbish|nonsense|unhelpful|not helpful|no help|annoying|moron|liars?|scam|disgrace)"
)
_THEM = r"(?:bot|chat ?bot|machine|robot|computer|ai|assistant|chat|thing|service|shop|company|site|answer|people)"
_SEHR = r"(?:ja |so |echt |total |wirklich |doch |nur |völlig |ein |eine |einfach |der |die )*"
_SCHLECHT = (
    r"(?:doof\w*|dumm\w*|blöd\w*|nutzlos\w*|schei(?:ß|ss)\w*|mist|idiot\w*|unfähig\w*|schlecht\w*|furchtbar|schrecklich"
    r"|lächerlich|(?:eine )?frechheit|unverschämt\w*|witz|saftladen|müll|quatsch|unsinn|keine hilfe|nicht hilfreich)"
)
_SIE = r"(?:bot|chat ?bot|maschine|ki|assistent|chat|laden|service|verein|antwort)"
_A = r"(?:an? |eine?[mr]? )?(?:real |actual |echte[nr]? |richtige[nr]? )?"
_PATTERNS: tuple[tuple[Courtesy, tuple[str, ...]], ...] = (
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
            r"(?:(?:ok(?:ay)?|great|perfect|super|good|nice|cool|awesome) )?(?:many )?(?:thanks|thank you|thx|cheers)"
            rf"(?: (?:so|very) much| a (?:lot|million))?{_FOR}(?: {_HELPED})?|much appreciated|{_HELPED}",
            r"(?:great|perfect|awesome|wonderful|excellent|got it|good to know|alles klar|super|prima|perfekt"
            r"|verstanden)",
            r"(?:(?:ok(?:ay)?|super|alles klar|prima) )?(?:danke(?: ?schön)?|(?:vielen|besten|herzlichen) dank|merci)"
            rf"(?: (?:dir|ihnen|euch))?(?: sehr)?{_FUER}(?: {_GEHOLFEN})?|{_GEHOLFEN}",
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
        "upset",
        (
            r"(?:you(?:'re| are| r)|u r|that(?:'s| is)|what|such|it's|it is"
            rf"|this(?: {_THEM})? is) {_VERY}{_BAD}(?: {_THEM})?",
            rf"(?:you )?{_VERY}{_BAD}(?: {_THEM}| you are)?|(?:what the )?fuck(?: (?:you|off|this))?|wtf|screw you"
            r"|shut up|i hate (?:you|this)(?: \w+)?|damn(?: it| you)?|asshole",
            r"(?:that|this|it|you) (?:did not|didn't|does not|doesn't|do not|don't) (?:really )?help(?: me)?"
            r"(?: at all)?|that(?:'s| is| was) (?:no|not an) answer|wrong answer"
            r"|that(?:'s| is) not what i (?:asked|meant)(?: for)?"
            r"|you (?:do not|don't) (?:understand|get)(?: (?:me|it|anything|my question))?",
            rf"(?:du bist|sie sind|ihr seid|das ist|was für|das war|ist das) {_SEHR}{_SCHLECHT}(?: {_SIE})?",
            rf"(?:so |du |ihr |sie )?{_SEHR}{_SCHLECHT}(?: {_SIE})?",
            r"verdammt(?: noch mal)?|halt die klappe|leck mich|fick dich",
            r"das (?:hilft|hat) (?:mir |uns )?(?:gar |überhaupt |leider )*nicht(?:s)?"
            r"(?: weiter| geholfen| weitergeholfen)?|falsche antwort|das ist keine antwort"
            r"|(?:du verstehst|sie verstehen) (?:mich|das|gar)? ?nichts?"
            r"|das war nicht meine frage",
        ),
    ),
    (
        "how_are_you",
        (
            r"i (?:have|(?:'ve )?got) (?:a|another|one more|some) (?:quick |short )?questions?(?: for you)?"
            r"|(?:can|could|will|would) (?:you|u|anyone|somebody|someone) (?:please )?help(?: me)?(?: please)?"
            r"|i need (?:some |your )?(?:help|assistance)(?: please)?|can i ask (?:you )?(?:something|a question)",
            r"(?:ich )?(?:habe|hätte) (?:da )?(?:eine|noch eine|mal eine) (?:kurze )?frage(?: an (?:sie|euch|dich))?"
            r"|(?:können|könnten) sie (?:mir )?(?:bitte )?helfen|(?:kannst|könntest) du (?:mir )?(?:bitte )?helfen"
            r"|ich brauche (?:(?:ihre|deine|bitte|mal) )*hilfe|(?:kann|darf) ich (?:sie |dich )?etwas fragen",
            r"how are (?:you|u)(?: doing)?(?: today)?|how's it going|what's up",
            r"wie geht(?:'s| es)(?: dir| ihnen)?|alles gut",
        ),
    ),
)
_SMALL_TALK = [
    (phrase, re.compile(rf"(?:{'|'.join(patterns)}){_FILLER}", re.IGNORECASE)) for phrase, patterns in _PATTERNS
]
_TEXT_MOST = 120
_GLAD = frozenset("👍👌🙏😊😀😃😄🙂😁🤗😍🥰🎉💪✅❤♥💚💙")
_ANGRY = frozenset("👎😡😠🤬😤💩🖕😞😢😭😒🙄😩😫")


def courtesy_in(text: str) -> Courtesy | None:
    """Return which courtesy the whole text is, None if it says anything more. Of several the last counts."""
    if len(text) > _TEXT_MOST:
        return None
    if not any(map(str.isalnum, text)):
        return _of_signs(text)
    said = " ".join(text.replace("’", "'").split())
    parts = [part.strip(" ,-") for part in re.split(r"[^\w\s',/-]+|, ", said) if part.strip(" ,-")]
    found = [_courtesy(part) for part in parts]
    return found[-1] if found and None not in found else None


def _courtesy(part: str) -> Courtesy | None:
    return next((phrase for phrase, pattern in _SMALL_TALK if pattern.fullmatch(part)), None)


def _of_signs(text: str) -> Courtesy | None:
    """Return what a text without a word says: a face does, and "???" asks whether somebody is there."""
    signs = set(text)
    if signs & _ANGRY:
        return "upset"
    if signs & _GLAD:
        return "thanks"
    return "how_are_you" if text.strip() else None

"""Whether a customer asks for a human being, in English or German. Pure; precise before complete.

A wrong yes puts somebody into a queue who wanted an answer; a wrong no still leaves the button. So a wish needs either
a verb of contact with a human as its object, or to be nothing but the name of one.
"""

import re

from supportbot.language.spelling import counted, respelled


def _either(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


_BOT = r"(?:ro)?(?:bot|chat ?bot|machine|computer|ai|maschine|ki)\b"

# --- English
_HUMAN = (
    r"(?:(?:real|actual|live|human) )?(?:human(?: being)?|person|people|agent|representative|rep|operator|supervisor|"
    r"manager|executive|employee|staff(?: member)?|member of (?:the |your )?(?:staff|team)|colleague|advisor|adviser)"
)
_SOMEBODY = rf"(?:(?:some|any)(?:body|one)(?: (?:real|human|else))?|{_HUMAN})"
_TEAM = r"(?:customer (?:service|support|care)|(?:the |your )?(?:support|service)(?: team| desk)?|(?:the |your )team)"
_A = r"(?:an? |the |one of your |your |some )?"
_REACH = (
    r"(?:(?:talk|speak|chat)(?:ing)? (?:to|with)"
    r"|(?:connect|put|hand|switch)(?: me)?(?: (?:over|on|through))? (?:to|with)"
    r"|(?:transfer|pass|forward) me(?: (?:over|on))? to|transfer to(?= (?:an? )?(?:agent|human|operator))"
    r"|(?:get|give|send|bring|find) me)"
)
# What makes "your support page" or "a person discount" a thing and no human.
_NO_THING = r"\b(?! (?:discount|number|id|portal|app|page|address|hours|tent|size|account))"
_ENGLISH = _either(
    rf"\b{_REACH} {_A}(?:{_SOMEBODY}|{_TEAM}){_NO_THING}",
    # "How do I contact customer support?" asks for an address; "contact a human" asks for one.
    rf"\b(?:contact|reach|call) {_A}{_HUMAN}{_NO_THING}",
    rf"\b(?:want|need|would like|prefer|'d like|d like) {_A}{_HUMAN}{_NO_THING}",
    rf"\b(?:is there|(?:can|could) i (?:get|have)|may i have) {_A}{_SOMEBODY}"
    r"(?: (?:there|here|available|i can|to talk|to speak|who|that|please)|\s*[?!.]*$)",
    r"\b(?:live (?:chat|agent|support)|human (?:help|support|assistance)) (?:please|now)\b",
    r"\b(?:let|have) (?:a |an |some)(?:person|human|agent|one|body) (?:help|call|answer|contact|look)\b",
)
_ONLY_ENGLISH = re.compile(
    rf"(?:(?:please|ok|okay|just|no|hi|hello|hey),? )*"
    rf"(?:{_A}{_HUMAN}|live (?:chat|support)|customer (?:service|support))(?:,? (?:please|now|thanks|thank you))*"
)

# --- German
_MENSCH = (
    r"(?:(?:echte|richtige|reale|lebende)[nmrs]? )?(?:mensch(?:en)?|person|mitarbeiter(?:in|s|n)?|kollegen?|kollegin|"
    r"(?:kunden)?berater(?:in)?|sachbearbeiter(?:in)?|ansprechpartner(?:in)?|vorgesetzten?|servicemitarbeiter(?:in)?)"
)
_DIENST = r"(?:kunden(?:dienst|service|support|betreuung)|support(?:team)?|service(?:team)?|hotline|team)"
_JEMAND = rf"(?:jemand(?:en|em)?(?: (?:echten|anderen|anderem|vom team|aus dem team))?|{_MENSCH}|{_DIENST})"
_EIN = r"(?:einen |einem |einer |eine |ein |den |dem |der |die |ihren |ihrem |ihrer |eurem |euren |eurer )?"
_FILLER = r"(?:sie |ich |mich |mir |wir |bitte |gern |gerne |doch |jetzt |lieber |mal )*"
_GERMAN = _either(
    rf"\bmit {_EIN}{_JEMAND}\b(?: (?:von|aus|vom) \w+(?: \w+)?)? ?(?:zu )?"
    r"(?:sprechen|reden|chatten|telefonieren|schreiben|verbinden|verbunden)",
    rf"\b(?:sprechen|reden|chatten|telefonieren|verbinden?|verbunden)\b {_FILLER}mit {_EIN}{_JEMAND}\b",
    r"\b(?:möchte|will|brauche|hätte gerne?|wünsche|bevorzuge|verlange|(?:kann|könnte|darf) ich) "
    rf"{_FILLER}(?:mit )?{_EIN}(?:{_MENSCH}|jemand(?:en|em) (?:echten|sprechen|erreichen))\b"
    r"(?! (?:passen|schlafen|pro))",
    r"\b(?:verbinden?|durchstellen|stellen sie mich|leiten sie mich|gib|geben sie) "
    rf"{_FILLER}(?:mit |an |zu |zum )?{_EIN}{_JEMAND}\b",
    rf"\b(?:an|zu|zum) {_EIN}{_JEMAND}\b (?:weiter(?:leiten|geben|reichen)|durchstellen|übergeben)",
    rf"\b(?:ist|gibt es|habt ihr|haben sie)(?: (?:da|hier|denn|auch|bei ihnen|bei euch))* {_EIN}(?:jemand|{_MENSCH})"
    r"(?:,? (?:da|hier|mit dem|mit der|der|die|erreichbar)|\s*[?!.]*$)",
)
_ONLY_GERMAN = re.compile(
    rf"(?:(?:bitte|ok|okay|nein|hallo|nur),? )*{_EIN}(?:{_MENSCH}|kunden(?:dienst|service|support))"
    r"(?:,? (?:bitte|jetzt|danke))*"
)

# --- Both
_RATHER_A_HUMAN = _either(
    r"\b(?:no|don'?t want|stop|instead of|rather than) (?:to )?(?:talk(?:ing)? (?:to|with) )?(?:an? |this |the )?"
    rf"{_BOT}.{{0,40}}\b(?:human|person|someone|somebody|agent)\b",
    rf"\b(?:human|person|someone|somebody|agent)\b,? (?:and )?not (?:to )?(?:an? |this |the )?{_BOT}",
    rf"\bkein(?:en|em|er|e)? {_BOT}.{{0,40}}\b(?:mensch|person|mitarbeiter|jemand)",
    r"\b(?:mensch(?:en)?|person|mitarbeiter|jemand(?:en|em)?)\b.{0,20}\b(?:statt|anstatt|und nicht|nicht mit) "
    rf"(?:einem |einer |mit einem |dem |der )?{_BOT}",
)
_REFUSED = _either(
    r"\b(?:do not|don'?t|never|not) (?:want|need|wish|have|like|like to)\b",
    r"\b(?:did|does|has|have|was|were)(?: not|n'?t)\b",
    r"\b(?:am i|spreche ich|rede ich|chatte ich|schreibe ich)\b",  # asks who answers
    r"\bwithout (?:having to )?(?:talk|speak|call)",
    r"\bno need to\b",
    r"\b(?:do|must|should|why would) i (?:have|need) to\b",
    r"\brather not\b",
    r"\bohne (?:mit )?",
    r"\b(?:möchte|will|brauche|muss) (?:ich )?(?:nicht|kein(?:en|e)?)\b",
    r"\bmuss ich\b",
)
_HOW_TO_REACH = _either(
    r"\bhow (?:can|do|could|should|may) (?:i|we) (?:contact|reach|get in touch(?: with)?|get hold of|call|write to"
    r"|(?:talk|speak) (?:to|with)) "
    r"(?:you|your \w+|someone|somebody|anyone|(?:the )?(?:customer )?(?:support|service|team))\b",
    r"\b(?:contact (?:details|information|form|options)|(?:a|any|your|the) (?:tele)?phone number|hotline"
    r"|your e-?mail(?: address)?)\b",
    r"\bwie (?:(?:kann|könnte|soll) (?:ich|man)|(?:erreiche|kontaktiere) (?:ich|man)) "
    r"(?:sie|euch|ihnen|dich|jemanden|ihr\w* \w+|den (?:kunden)?(?:service|dienst|support)|das team)\b",
    r"\b(?:eine|ihre|eure|die) (?:telefonnummer|rufnummer)\b",
    r"\b(?:kontaktdaten|kontaktformular|kontaktmöglichkeit\w*|ihre e-?mail(?:-adresse)?)\b",
)
# "Where do I enter the phone number?" is about the customer's own.
_KEEPS_DATA = _either(r"\b(?:change|update|enter|add|forg[eo]t|ändern|eintragen|hinterlegen)\b")
_YES = re.compile(
    r"(?:yes|yeah|yep|sure|ok(?:ay)?|please|go ahead|i would|that would be (?:nice|great|good)|"
    r"ja|gerne?|klar|bitte|jo|in ordnung|sehr gerne?|auf jeden fall)"
    r"(?:[ ,]+(?:please|thanks|thank you|do|do that|do so|i would|"
    r"bitte|gerne?|danke|sehr|das wäre (?:gut|nett|schön)))*"
)
_TEXT_MOST = 500
# A "not" belongs to the wish only from within its own clause.
_CLAUSE_END = re.compile(r"[.,;:!?]")


# As the patterns above name us, and the verbs of reaching us: a slip in one of them is the commonest way to be missed.
_OUR_NAMES = counted(
    "human person agent representative operator colleague someone somebody speak talk connect support"
    " mensch menschen mitarbeiter mitarbeiterin jemand jemandem berater kollegen sprechen reden verbinden"
)


def wants_person(text: str) -> bool:
    """Return whether the customer asks to be put in touch with a human being."""
    said = respelled(_normal(text), _OUR_NAMES)
    bare = said.strip(" .!?,;")
    if _ONLY_ENGLISH.fullmatch(bare) or _ONLY_GERMAN.fullmatch(bare):
        return True
    if _RATHER_A_HUMAN.search(said):
        return True
    wish = _ENGLISH.search(said) or _GERMAN.search(said)
    return wish is not None and not _REFUSED.search(_clause_of(said, wish))


def _clause_of(said: str, wish: re.Match[str]) -> str:
    breaks = [mark.end() for mark in _CLAUSE_END.finditer(said, 0, wish.start())]
    return said[breaks[-1] if breaks else 0 : wish.end()]


def asks_how_to_reach(text: str) -> bool:
    """Return whether the customer asks how the team is reached: they are nearly there."""
    said = _normal(text)
    return _HOW_TO_REACH.search(said) is not None and _KEEPS_DATA.search(said) is None


def accepts(text: str) -> bool:
    """Return whether `text` is nothing but a yes."""
    return _YES.fullmatch(_normal(text).strip(" .!?,;")) is not None


def _normal(text: str) -> str:
    """Lower case, plain quotes and spaces; cut, since nobody wishes at the end of a long text only."""
    return " ".join(text[:_TEXT_MOST].replace("’", "'").split()).lower()

"""Whether a customer asks for a human being, in English or German. Pure; precise before complete.

A wrong yes puts somebody into a queue who wanted an answer; a wrong no still leaves the button. So a wish needs either a
verb of contact with a human as its object, or to be nothing but the name of one.
"""

import re

_HUMAN = (
    r"(?:(?:real|actual|live|human) )?(?:human(?: being)?|person|people|agent|representative|rep|operator|supervisor|manager|"
    r"employee|staff(?: member)?|member of (?:the |your )?(?:staff|team)|colleague|advisor|adviser)"
)
_SOMEBODY = rf"(?:(?:some|any)(?:body|one)(?: (?:real|human|else))?|{_HUMAN})"
_TEAM = r"(?:customer (?:service|support|care)|(?:the |your )?(?:support|service)(?: team| desk)?|(?:the |your )team)"
_ARTICLE = r"(?:an? |the |one of your |your |some )?"
_CONTACT = (
    r"(?:talk|speak|chat)(?:ing)? (?:to|with)|(?:connect|transfer|put|pass|forward|hand|switch)(?: me)?(?: (?:over|on|through))?"
    r" (?:to|with)|contact|reach|call|(?:get|give|send|bring|find) me"
)
_ENGLISH = re.compile(
    rf"\b(?:{_CONTACT}) {_ARTICLE}(?:{_SOMEBODY}|{_TEAM})\b(?! (?:discount|number|id|portal|app|page|address|hours))"
    rf"|\b(?:i )?(?:want|need|would like|prefer|'d like|d like) {_ARTICLE}{_HUMAN}\b(?! (?:discount|id|tent|size|account))"
    rf"|\b(?:is there|can i (?:get|have)|could i (?:get|have)|may i have) {_ARTICLE}(?:{_SOMEBODY})"
    r"(?: (?:there|here|available|i can|to talk|to speak|who|that|please)|\s*[?!.]*$)"
    r"|\b(?:live (?:chat|agent|support)|human (?:help|support|assistance)) (?:please|now)\b"
    r"|\b(?:let|have) (?:a |an |some)(?:person|human|agent|one|body) (?:help|call|answer|contact|look)\b"
    r"|\b(?:not|no|don'?t want|stop|instead of|than) (?:to )?(?:talk(?:ing)? (?:to|with) )?(?:a |this |the )?(?:ro)?(?:bot|chat ?bot|machine|ai)\b"
    r".{0,30}\b(?:human|person|someone|somebody|agent)\b"
    r"|\b(?:human|person|someone|somebody|agent)\b,? (?:and )?not (?:a |this |the |to a )?(?:ro)?(?:bot|chat ?bot|machine|computer|ai)\b",
    re.IGNORECASE,
)
_ONLY_ENGLISH = re.compile(
    rf"(?:(?:please|ok|okay|just|no|hi|hello|hey),? )*(?:{_ARTICLE}{_HUMAN}|live (?:chat|support)|customer (?:service|support)|"
    r"real (?:human|person))(?:,? (?:please|now|thanks|thank you))*",
    re.IGNORECASE,
)

_MENSCH = (
    r"(?:echte[nmrs]? |richtige[nmrs]? |reale[nmrs]? |lebende[nmrs]? )?(?:mensch(?:en)?|person|mitarbeiter(?:in|s|n)?|"
    r"kollege[n]?|kollegin|berater(?:in)?|kundenberater(?:in)?|sachbearbeiter(?:in)?|ansprechpartner(?:in)?|vorgesetzten?|"
    r"servicemitarbeiter(?:in)?)"
)
_DIENST = r"(?:kunden(?:dienst|service|support|betreuung)|support(?:team)?|service(?:team)?|hotline|team)"
_JEMAND = rf"(?:jemand(?:en|em)?(?: (?:echten|anderen|anderem|vom team|aus dem team))?|{_MENSCH}|{_DIENST})"
_EIN = r"(?:einen |einem |einer |eine |ein |den |dem |der |die |ihren |ihrem |ihrer |eurem |euren |eurer )?"
_GERMAN = re.compile(
    rf"\bmit {_EIN}{_JEMAND}\b(?: (?:von|aus|vom) \w+(?: \w+)?)? ?(?:zu )?(?:sprechen|reden|chatten|telefonieren|schreiben|verbinden|verbunden)"
    rf"|\b(?:sprechen|reden|chatten|telefonieren|verbinde(?:n)?|verbunden)\b (?:sie |ich |mich |wir |bitte |gern |gerne |doch |jetzt )*mit {_EIN}{_JEMAND}\b"
    rf"|\b(?:möchte|will|brauche|hätte gern(?:e)?|wünsche|bevorzuge|verlange|kann ich|könnte ich|darf ich) (?:ich |bitte |gern |gerne |jetzt |lieber |doch )*"
    rf"(?:mit )?{_EIN}(?:{_MENSCH}|jemand(?:en|em) (?:echten|sprechen|erreichen))\b(?! (?:passen|schlafen|pro))"
    r"|\b(?:verbinde(?:n)?|weiterleiten|durchstellen|stellen sie mich|leiten sie mich|gib|geben sie) (?:sie )?(?:mich |mir )?(?:bitte |doch |jetzt )*"
    rf"(?:mit |an |zu |zum )?{_EIN}{_JEMAND}\b"
    rf"|\b(?:an|zu|zum) {_EIN}{_JEMAND}\b (?:weiter(?:leiten|geben|reichen)|durchstellen|übergeben)"
    rf"|\b(?:ist|gibt es|habt ihr|haben sie)(?: (?:da|hier|denn|auch|bei ihnen|bei euch))* {_EIN}(?:jemand|{_MENSCH})(?:,? (?:da|hier|mit dem|mit der|der|die|erreichbar)|\s*[?!.]*$)"
    r"|\bkein(?:en|em|er)? (?:ro)?(?:bot|chatbot|maschine|ki)\b.{0,40}\b(?:mensch|person|mitarbeiter|jemand)"
    r"|\b(?:mensch(?:en)?|person|mitarbeiter|jemand(?:en|em)?)\b.{0,20}\b(?:statt|anstatt|und nicht|nicht mit) (?:einem |einer |mit einem |dem |der )?(?:ro)?(?:bot|chatbot|maschine|ki)\b",
    re.IGNORECASE,
)
_ONLY_GERMAN = re.compile(
    rf"(?:(?:bitte|ok|okay|nein|hallo|nur),? )*{_EIN}(?:{_MENSCH}|kunden(?:dienst|service|support))(?:,? (?:bitte|jetzt|danke))*",
    re.IGNORECASE,
)

_REFUSED = re.compile(
    r"\b(?:(?:do not|don'?t|didn'?t|never|not) (?:want|need|wish|have|like|like to)(?: to)?|without (?:having to )?(?:talk|speak|call)|"
    r"no need to|(?:do|must|should|why would) i (?:have|need) to|rather not|"
    r"ohne (?:mit )?|(?:möchte|will|brauche|muss) (?:ich )?(?:nicht|kein(?:en|e)?)|muss ich)\b",
    re.IGNORECASE,
)
_YES = re.compile(
    r"(?:yes|yeah|yep|sure|ok(?:ay)?|please|go ahead|ja|gern|gerne|klar|bitte|jo|in ordnung|sehr gern(?:e)?|auf jeden fall|i would|that would be (?:nice|great|good))"
    r"(?:[ ,]+(?:please|thanks|thank you|do|do that|bitte|gern|gerne|danke|i would|do so|sehr|das wäre (?:gut|nett|schön)))*",
    re.IGNORECASE,
)
_TEXT_MOST = 500


def wants_person(text: str) -> bool:
    """Return whether the customer asks to be put in touch with a human being."""
    said = _normal(text)
    bare = said.strip(" .!?,;")
    if _ONLY_ENGLISH.fullmatch(bare) or _ONLY_GERMAN.fullmatch(bare):
        return True
    wish = _ENGLISH.search(said) or _GERMAN.search(said)
    return wish is not None and not _REFUSED.search(said[max(0, wish.start() - 25) : wish.end()])


def accepts(text: str) -> bool:
    """Return whether `text` is nothing but a yes."""
    return _YES.fullmatch(_normal(text).strip(" .!?,;")) is not None


def _normal(text: str) -> str:
    """Cut, since nobody wishes in a long text, and with plain quotes and spaces."""
    return " ".join(text[:_TEXT_MOST].replace("’", "'").split()).lower()

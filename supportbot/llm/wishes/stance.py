"""How something is said: as a wish, as a question about it, as its opposite, or as a mere report. Pure.

It knows no action. A wrong wish shows a customer a card nobody asked for, so in doubt it is none: a question is
answered from the help pages, and the customer can still say what they want.
"""

import re
from typing import Final

_NEGATED: Final = re.compile(
    r"\b(?:do not|don'?t|dont|can'?t|cannot|can not|couldn'?t|could not|unable to|did(?: not|n'?t)|does(?: not|n'?t)"
    r"|never|not|without|no longer|no need|won'?t|wouldn'?t"
    r"|shouldn'?t|haven'?t|hasn'?t|isn'?t|wasn'?t|instead of|rather than|against|stop|avoid|refuse"
    r"|kein\w*|nicht|nie|niemals|ohne|statt|anstatt|anstelle|weder|bloß nicht)\b"
    r"|\bno (?=refund|cancel|change|money|return)",
    re.IGNORECASE,
)
# "Can't you", "könnten Sie nicht": a polite way to ask, and "why not" asks for it too.
_POLITE_NOT: Final = re.compile(
    r"\b(?:can'?t|couldn'?t|won'?t|wouldn'?t) (?:you|we|i)\b|\b(?:könn(?:t?en|test)|würden|kannst|wollen) (?:sie|du"
    r"|ihr)"
    r"(?: \w+)?(?: \w+)? nicht\b|\bwhy (?:not|don'?t you|can'?t you)\b|\bwarum nicht\b|\bnot only\b|\bnicht nur\b"
    r"|\b(?:stimmt|passt) (?:so )?nicht\b|\b(?:is not|isn'?t) (?:right|correct|up to date)\b|\bcan'?t wait\b"
    r"|\bwhether or not\b",
    re.IGNORECASE,
)
_AFTER_NOT: Final = re.compile(
    r"\b(?:is |are |was )?not (?:needed|necessary|wanted|required|yet|received|arrived|now)\b|\bnicht\b|\bno thanks\b"
    r"|\b(?:isn'?t|hasn'?t|haven'?t|didn'?t|never)\b|\bnever (?:came|arrived)\b|\bkein\w*\b|\bnein danke\b|\bnot$",
    re.IGNORECASE,
)
# Words of rules, times and prices: who uses them asks how it is, and wants nothing done.
_ABOUT: Final = re.compile(
    r"\b(?:what now|what (?:can|should|do|must) i|was nun|was tun|was (?:kann|soll|muss) ich|polic(?:y|ies)|rules?"
    r"|terms|conditions?|deadlines?|procedure|guarantee|eligib\w*|possible|allowed|fees?"
    r"|explain"
    r"|information|info|wondering|wonder|curious|difference|depends|usually|normally|generally|in general|timeframe"
    r"|options?"
    r"|(?:refund|cancellation|return|delivery)s? (?:time|period|process|status|window|cost|button|form|page|link)s?"
    r"|richtlinien?|regeln|bedingungen|fristen?|frist|ablauf|vorgehen|garantie|gebühr\w*|kostet|möglich|erlaubt"
    r"|erklär\w*"
    r"|informationen?|dauert|dauer|normalerweise|üblicherweise|generell|grundsätzlich|nachträglich|im nachhinein)\b",
    re.IGNORECASE,
)
_QUESTION_WORD: Final = (
    r"(?:what|which|who|whose|whom|why|whether|when|where|how|wie|was|wann|warum|wieso|weshalb|wer|wem|wen|wo|wohin"
    r"|welche\w*"
    r"|wofür|womit|wodurch|ob)\b"
)
_BEGINS_WITH_ONE: Final = re.compile(
    rf"(?:(?:and|but|so|or|until|till|by|in|on|to|from|for|within|after|exactly|und|aber|oder|bis|ab|seit|zu|auf|in"
    rf"|von|mit|für"
    rf"|an|nach|also|about|über)\s+){{0,2}}{_QUESTION_WORD}",
    re.IGNORECASE,
)
_HOLDS_ONE: Final = re.compile(rf"\b{_QUESTION_WORD}", re.IGNORECASE)
_WANTS_TO_KNOW: Final = re.compile(
    r"\b(?:to|just|please|i|can you|could you) (?:know|ask|understand|find out|tell me|explain|clarify)\b|\btell me\b"
    r"|\b(?:questions?|details) (?:about|on|regarding)\b|\b(?:sagen|erklären|wissen|fragen|verstehen)\b|\bfrage\b"
    r"|\b(?:see|find|read|hear) (?:\w+ ){0,2}(?:refund|cancellation)\b",
    re.IGNORECASE,
)
_CONDITION: Final = re.compile(
    r"\b(?:if|in case|unless|once|after|before|provided|suppose|assuming|wenn|falls|sofern|sobald|nachdem"
    r"|bevor)\b",
    re.IGNORECASE,
)
_MERE_COURTESY: Final = re.compile(
    r"\b(?:is it (?:still )?possible to(?=.*\d{3})|(?:i was |i am |i'm )?wondering (?:if|whether) (?:you|i"
    r"|we) (?:can|could|might|may)|would it be possible"
    r"|wäre es möglich|if (?:at all )?possible|if you (?:can|could|would|don'?t mind)|if that'?s (?:ok|okay|possible"
    r"|alright)"
    r"|as soon as possible|asap|after all|when(?:ever)? you can|once again|once more|once and for all"
    r"|wenn (?:es )?(?:irgend )?(?:möglich|geht|machbar)|falls (?:es )?(?:möglich|geht)|wenn (?:sie|du) (?:so )?\w+ "
    r"(?:sind|bist|würden)|so (?:schnell|bald) wie möglich|schnellstmöglich|know what|you know what|no matter what"
    r"|what i ordered|what i bought|was ich bestellt habe|wie (?:besprochen|gesagt|vereinbart))\b",
    re.IGNORECASE,
)
_ASKS_WHETHER: Final = re.compile(
    r"^(?:and |but |so |or |also |hi |hello |hey |und |oder |aber |hallo )*"
    r"(?:(?:can|could|may|might|will|would|do|does|did|should|shall|must|am|is|are|was|were|has|have|had)"
    r" (?!you\b)(?:n't )?\w+"
    r"|do you|are you|have you|did you|does"
    r"|(?:kann|könnte|darf|dürfte|muss|müsste|soll|sollte|bekomm\w*|krieg\w*|erhalt\w*|gibt|geht|ist|sind|war|wird"
    r"|werden"
    r"|wurde|hat|haben|habe|habt|bietet|bieten|erstattet|erstatten) (?:ich|man|wir|es|das|die|der|den|mein\w*|ihr"
    r"|sie|eine?)"
    r")\b",
    re.IGNORECASE,
)
_ASKS_FOR_IT: Final = re.compile(
    r"\bis it (?:still )?possible to\b(?=.*\d{3})|\bwondering (?:if|whether) (?:you|i|we) (?:can|could|might|may)\b"
    r"|^(?:requesting|asking for|request for)\b"
    r"|\b(?:hereby|hiermit)\b"
    r"|^(?:can|could|may) i (?:please )?(?:have|get|request|ask for|claim) (?=.*\b(?:my|this|these|the|it)\b)"
    r"|\b(?:i|we)(?:'?d| would)? (?:\w+ ){0,2}?(?:want|wanna|need|like|demand|require|request|insist|ask for|claim"
    r"|prefer|expect|wish|hope|must|have to)\b|\b(?:i'm|i am|we are|im) (?:\w+ )?(?:looking|trying|asking|after|hoping"
    r"|requesting|here)\b|\b(?:wants?|wanna|need(?:s|ed)?|request(?:ing)?) (?:to|an?|my|the|it|full|this|that)\b"
    r"|\b(?:please|pls|plz|kindly|gimme|let'?s)\b|\b(?:can|could|would|will|won'?t|can'?t|couldn'?t) (?:you|u"
    r"|someone|anybody|we)\b"
    r"|\b(?:give|get|let|help|send|pay|make sure) (?:me|us)\b|\bgo ahead\b|\bwould like\b|\bwould it be possible\b"
    r"|\bwould you mind\b|\bdo you mind\b|\bis it possible for you\b|\b(?:must|should) be\b|\bi'?ll (?:have|take)\b"
    r"|\bhave (?:it|them|this|that|my \w+) \w+ed\b|\bget (?:it|them|this|that|my \w+) \w+ed\b"
    r"|\b(?:bitte|möchte\w*|will|wollen|wollte\w*|brauche\w*|benötige\w*|wünsche|verlange|fordere|beantrage|bitten"
    r"|bräuchte)\b"
    r"|\b(?:hätte|würde|hätten|würden)\w* (?:\w+ ){0,2}?(?:gern\w*|lieber|ihre|meine|das|eine|sie)\b"
    r"|\b(?:könn(?:t?en|tet|test)|kannst|könnt|würde[nt]|würdest|wollen) (?:sie|du|ihr|wir|mir|uns|bitte|man mir)\b"
    r"|\b(?:geben|gib|gebt|überweis\w*|zahl\w*|schick\w*|send\w*|mach\w*) (?:sie |ihr )?(?:mir|uns|bitte|mal)\b",
    re.IGNORECASE,
)
# What brings somebody to ask for their money: it makes of "can I get a refund?" more than a question.
_TROUBLE: Final = re.compile(
    r"\b(?:i|we)(?:'ve| have)? (?:\w+ )?(?:bought|ordered|received|got|changed my mind)\b|\bwrong (?:size|item"
    r"|colou?r|one|product)"
    r"|\b(?:broken|broke|breaks|defective|defect|faulty|damaged|torn|ripped|leak\w*|fell apart|falling apart"
    r"|stopped working"
    r"|(?:not|doesn'?t|does not|isn'?t|never|don'?t|do not|didn'?t) (?:\w+ )?(?:work\w*|fit|like|arrive\w*|come"
    r"|close|open|lit)"
    r"|too (?:small|big|large|tight|short|long|narrow|wide)|hole|scratched|stained|missing|unhappy|not happy"
    r"|disappointed)\b"
    r"|\b(?:kaputt|defekt|beschädigt|gerissen|gebrochen|undicht|falsch\w*|fehlt|fehlen|passt nicht|passen nicht|gefällt"
    r"|gefallen|zu (?:klein|groß|eng|weit|kurz|lang)|drück\w*|unzufrieden|enttäuscht|loch|riss|funktioniert nicht"
    r"|löst sich"
    r"|(?:gekauft|bestellt|erhalten) habe|habe .{0,40}(?:gekauft|bestellt|erhalten|bekommen))\b",
    re.IGNORECASE,
)
_HOLDS_BACK: Final = re.compile(
    r"\b(?:maybe|perhaps|might|thinking (?:about|of)|considering|consider|not sure|unsure|later|in future|vielleicht"
    r"|eventuell|überlege\w*|nachdenken|denke darüber|später|unsicher)\b",
    re.IGNORECASE,
)
_DONE: Final = re.compile(
    r"\b(?:was|were|been|got|has|have|had|is|are|i|we|they|you|he|she|already|just|someone|somebody|i'?ve)"
    r" (?:\w+ ){0,2}?(?:refunded|cancell?ed|changed|reimbursed|updated|paid back|moved my|asked|requested)\b"
    r"|\b(?:was|were|been|got|has|have|had|wurde\w*|ist|hat|haben|habt)\b.{0,40}\b(?:delivered|sent|shipped|left"
    r"|geliefert|zugestellt|abgegeben|geschickt|gesendet|verschickt)\b"
    r"|\b(?:thanks?|thank you|danke|dank) (?:you )?(?:\w+ )?(?:for|für|dass)\b|\bthanks for (?:the|my)\b"
    r"|\b(?:wurde|wurden|ist|sind|habe|haben|hat|hatte|worden|bereits|schon) (?:\w+ ){0,5}?"
    r"(?:storniert|erstattet|geändert|zurückgezahlt|zurückerstattet|bekommen|erhalten|beantragt|zurückbekommen)\b"
    r"|\b(?:refund|money|erstattung|geld|rückzahlung|cancellation|stornierung)\b.{0,40}\b(?:has|have|had|is|was|ist"
    r"|sind|war|kam)\b"
    r".{0,12}\b(?:arrived|come|came|here|received|there|through|missing|angekommen|da|eingegangen|gekommen|bestätigt)\b"
    r"|\bfor (?:the|my|your) (?:refund|cancellation)|\b(?:received|got|waiting (?:for|on)|where is|status of|missing)"
    r" (?:\w+ ){0,2}(?:refund|money|cancellation)\b|\bwarte\w* (?:\w+ ){0,3}auf\b",
    re.IGNORECASE,
)
_FILLER: Final = re.compile(
    r"(?:(?:hi|hello|hey|dear|ok|okay|so|then|and|also|just|now|yes|yeah|well|actually|instead|good (?:morning"
    r"|evening|day)"
    r"|there|team|sorry|excuse me|oh|no|or|please|pls|plz|alternatively|in that case|hallo|guten (?:tag|morgen"
    r"|abend)|dann"
    r"|und|also|ja|nein|doch|jetzt|nun|mal|bitte|gut|na|einfach|außerdem|lieber|moin|servus|sofort)[\s,]+)+",
    re.IGNORECASE,
)


def is_negated(before: str, after: str) -> bool:
    """Return whether a wish is denied by what stands before or behind its word, in its own clause."""
    before = re.split(r"\b(?:please|pls|bitte)\b", _POLITE_NOT.sub(" ", before), flags=re.IGNORECASE)[-1]
    return _NEGATED.search(before) is not None or _AFTER_NOT.search(_POLITE_NOT.sub(" ", after)) is not None


def is_about(clause: str, *, is_asked: bool) -> bool:
    """Return whether a clause speaks of rules, times, conditions and the like, or asks with a question word."""
    bare = _MERE_COURTESY.sub(" ", _OB_SIE.sub(" ", clause))
    if _ABOUT.search(bare) or _CONDITION.search(bare) or _WANTS_TO_KNOW.search(bare):
        return True
    if _BEGINS_WITH_ONE.match(without_fillers(bare).strip()):
        return True
    return is_asked and _HOLDS_ONE.search(bare) is not None


# "Ich wollte fragen, ob Sie ... stornieren könnten" is a wish.
_OB_SIE: Final = re.compile(
    r"^(?:und )?ob (?:sie|ihr|du|jemand) (?=.*\b(?:könn(?:t?en|tet|test)|würde\w*)$)", re.IGNORECASE
)


def begins_with_question(clause: str) -> bool:
    """Return whether the clause begins with a question word."""
    return _BEGINS_WITH_ONE.match(without_fillers(clause).strip()) is not None


def asks_to_be_told(clause: str) -> bool:
    """Return whether somebody wants to hear something: "I need to know where it is"."""
    return asks_for_it(clause) and (_HOLDS_ONE.search(clause) is not None or _WANTS_TO_KNOW.search(clause) is not None)


def asks_whether(clause: str) -> bool:
    """Return whether the clause is a question that a yes or no answers, and no polite request."""
    return _ASKS_WHETHER.match(clause) is not None


def asks_for_it(clause: str) -> bool:
    """Return whether somebody says that they want something."""
    return _ASKS_FOR_IT.search(clause) is not None


def tells_of_trouble(text: str) -> bool:
    """Return whether somebody says what went wrong with something of theirs."""
    return _TROUBLE.search(text) is not None


def holds_back(clause: str) -> bool:
    """Return whether a wish is only played with."""
    return _HOLDS_BACK.search(clause) is not None


def reports(clause: str) -> bool:
    """Return whether the clause tells of something that has happened already."""
    return _DONE.search(clause) is not None


def without_fillers(clause: str) -> str:
    """Return a clause without the courtesies and particles it begins with."""
    match = _FILLER.match(clause)
    return clause[match.end() :] if match else clause

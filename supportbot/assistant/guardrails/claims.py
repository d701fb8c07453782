"""Whether a sentence says or promises that something was done for the customer. Pure.

It is told by its form, not by a list of verbs: somebody (I, we, the team), or nobody in a passive, and a perfect, a
past or a promise, near a thing a shop handles. What is only conditional ("once your order is cancelled", "wenn ...")
says nothing happened; a rule ("is paid within 5 days") does not either, but only where it says so.
"""

import re
from typing import Final

from supportbot.assistant.guardrails.tidings import brings_news
from supportbot.language.normalise import undisguised

_THING: Final = (
    r"(?:money|refund|re-?pay|reimburs|order|parcel|package|shipment|deliver|address|payment|account|amount|charge"
    r"|invoice|balance|bank|purchase|subscription|voucher|credit|cancellation|cancelation|return\b|replacement|fee"
    r"|euro|dollar|pound|\bitem|fifty|cash|geld|erstattung|rückzahl|rückbuch|bestellung|paket|sendung|lieferung|adresse"
    r"|anschrift|zahlung|konto|betrag|gutschrift|gutschein|abo\b|abonnement|rechnung|auftrag|buchung|ersatz|stornierung"
    r"|kündigung|änderung|ware\b|artikel|rücksendung)"
)
_ADVERBS: Final = (
    r"(?:\s+(?:now|just|already|been|all|fully|both|finally|also|then|there|so|gladly|hereby|gone\ ahead\ and|being"
    r"|\w+ly|as\ of\ now))*"
)
# Past forms that do something. Looking, asking and understanding do nothing for anybody.
_MIND: Final = (
    r"(?:looked|checked|searched|tried|needed|wanted|mentioned|explained|noticed|hoped|liked|asked|answered|listed"
    r"|summari[sz]ed|described|named|helped|talked|called|linked|based|related|concerned|interested|confused|pleased"
    r"|delighted|excited|worried|convinced|limited|supposed|allowed|required|needed|indeed)\b"
)
_PAST: Final = (
    rf"(?!{_MIND})(?:\w{{2,}}ed|took|taken|sent|paid|made|gave|given|got|put|did|done|begun|began|set|brought|left"
    r"|returned|gone|went|drew|withdrawn|written\ off|undone|void|let|cut|sold|bought)\b"
)
_DONE: Final = (
    r"(?:refunded|reimbursed|credited|cancell?ed|voided|changed|updated|issued|processed|initiated|approved|completed"
    r"|arranged|sent|confirmed|compensated|done|reversed|transferred|paid|deleted|removed|closed|waived|replaced|wired"
    r"|settled|sorted|fixed|handled|resolved|triggered|started|stopped|lost|gone|taken\ care\ of|free|yours|due"
    r"|returnable|complete|through|underway|successful|on\ (?:its|the|their)\ way|back|void)\b"
)
_ACT: Final = (
    r"(?:refund|reimburse|credit|cancel|change|update|issue|process|compensate|send|arrange|transfer|pay|give|reverse"
    r"|replace|waive|delete|remove|ship|return|take\ care|make\ sure|see\ to|initiate|start|stop|approve|confirm|book"
    r"|put|wire|grant|offer|get(?!\ back\ to\ you)|fix|sort|handle)\b"
)
_WE: Final = r"\b(?:i|we|our\ (?:team|bank|system|staff)|the\ (?:team|bank|system)|(?:my|a)\ colleagues?)"
_YOURS: Final = r"\b(?:your|it|everything|all|this|that|the|this|both)\b"

_ENGLISH: Final = rf"""
    {_WE}(?:'ve|\s+have|\s+has|\s+had)?{_ADVERBS}\s+{_PAST}(?=.*{_THING}|.*\b(?:it|that|this|everything|all|you)\b)
  | {_WE}(?:'ve|\s+have|\s+has|\s+had)\b{_ADVERBS}\s+{_PAST}(?=.*{_THING})
  | {_WE}(?:'ve|\s+have|'d)\b[^.!?]*\b(?:refunded|reimbursed|credited|cancell?ed|transferred|reversed|paid)\b
  | {_THING}\w*[^.!?:]{{0,40}}\b(?:has|have|had|was|were|got)\b{_ADVERBS}\s+(?:{_PAST}|{_DONE}|come\b|arrived)
  | {_YOURS}[^.!?:,]{{0,30}}(?:\b(?:has|have|had|was|were|is|are|got|gets)|'s|'re)\b{_ADVERBS}\s+{_DONE}
  | \b(?:has|have|had|was|were|is|are)\b{_ADVERBS}\s+(?:successfully|refunded|reimbursed|cancell?ed|credited)\b
  | {_WE}(?:'ll|\s+will|\s+shall|'m\s+going\s+to|\s+am\s+going\s+to|\s+are\s+going\s+to|'re\s+going\s+to)
      \b[^.!?]{{0,40}}\b{_ACT}
  | {_WE}{_ADVERBS}\s+(?:promise|guarantee)\b
  | \bi(?:{_ADVERBS}|'m|\s+am)\s+(?:(?!get\b|make\ sure){_ACT}
      |(?:refund|cancel|transferr|send|chang|updat|revers|process|issu|pay)ing)(?=.*{_THING}|.*\bit\b)
  | \bwe{_ADVERBS}\s+(?:give|grant|pay|credit|refund|transfer|send|owe|reimburse)\s+(?:you|your)\b
  | {_THING}\w*[^.!?:]{{0,60}}\b(?:on\ (?:its|the|their)\ way|under\ ?way|en\ route|left\ our
      |arriv(?:es|ed)\b(?!\ (?:broken|damaged|late|faulty|incomplete))|will\ (?:arrive|be\ (?:with\ you|there|back))
      |now\ goes?|goes?\ to\ (?:your|the\ new)|lands?\b|comes?\ (?:today|tomorrow)|(?:is|are)\ (?:yours|back|gone|lost))
  | \b(?:you|you'll|you've)(?:\s+\w+){{0,2}}\s+(?:have|get|got|receive|received|be\ getting|are\ getting)\b
      [^.!?]{{0,30}}{_THING}[^.!?]{{0,30}}\b(?:back|today|now|tomorrow|shortly|soon)\b
  | \byou(?:'ll|\s+will|\s+are|'re)\s+(?:now\s+)?(?:be\s+)?(?:{_DONE}|getting\ (?:your|a)\ {_THING})
  | {_THING}\w*[^.!?:]{{0,40}}\bwill\ be\b{_ADVERBS}\s+{_DONE}
  | \bsuccessfully\b
  | \ball\ (?:set|done|sorted|taken\ care\ of)\b
  | \bconsider\ it\ done\b
"""
_PARTICIPLE: Final = (
    r"(?!(?:nach)?gesehen|gesucht|gefunden|verstanden|gelesen|gefragt|gemeint|gebeten|gern)"
    r"(?:\w*ge\w{2,}(?:t|en)|\w*(?:be|er|ver|zer|ent|über|unter)\w{2,}(?:t|en)|\w+iert|getan|\w+gesetzt|gelöscht"
    r"|gezahlt)"
)
_GERMAN: Final = rf"""
    \b(?:habe|haben|hab)\s+(?:ich|wir)\b[^.!?]{{0,80}}\b{_PARTICIPLE}\b
  | \b(?:ich|wir|unser\ team|unsere\ bank)\s+(?:habe|haben|hab|hat)\b[^.!?]{{0,80}}\b{_PARTICIPLE}\b
  | {_THING}\w*[^.!?:]{{0,30}}\b(?:ist|sind|wurde|wurden|war|waren|hat)\b[^.!?]{{0,60}}\b
      (?:{_PARTICIPLE}|unterwegs|auf\ dem\ weg\w*|weg|verloren|fertig|durch|da|zurück|frei|kostenlos)\b
  | \b(?:alles|das|es)\s+(?:ist|wurde)\b[^.!?]{{0,40}}\b(?:erledigt|veranlasst|bestätigt|storniert|erstattet|geändert
      |überwiesen|angestoßen|ausgeführt|abgeschlossen)\b
  | \b(?:ist|sind|wurde|wurden|hat)\b[^.!?]{{0,40}}{_THING}\w*[^.!?]{{0,40}}\b{_PARTICIPLE}\b(?!.*\?$)
  | \bdass\b[^.!?]{{0,80}}(?:{_THING}|\beuro\b)[^.!?]{{0,60}}\b(?:{_PARTICIPLE}|unterwegs|auf\ dem\ weg|frei|da)\b\s+
      (?:ist|sind|wurde|wurden|worden|habe|haben)\b
  | \b(?:ich|wir)\s+(?:werde|werden|erstatte\w*|storniere\w*|ändere\w*|überweise\w*|veranlasse\w*|schicke\w*|sende\w*
      |buche\w*|zahle\w*|lösche\w*|ersetze\w*|garantiere\w*|verspreche\w*|gewähre\w*|schenke\w*)\b
  | \b(?:ich|wir)\s+(?:kümmer\w*|leite\w*|gebe\w*|mache\w*|starte\w*|stoße\w*|schreibe\w*|lege\w*|nehme\w*)\b
      [^.!?]{{0,60}}(?:{_THING})
  | \bsie\s+(?:bekommen|erhalten|haben)\b[^.!?]{{0,40}}{_THING}[^.!?]{{0,30}}\b
      (?:zurück|heute|morgen|jetzt|gleich|wieder)\b
  | {_THING}\w*[^.!?:]{{0,60}}\b(?:kommt|geht|trifft|landet)\b[^.!?]{{0,30}}\b(?:heute|morgen|jetzt|gleich|nun|ein)\b
  | {_THING}\w*[^.!?:]{{0,60}}\b(?:unterwegs|auf\ dem\ weg)\b
  | \b(?:rückzahlung|erstattung|geld|sie|er|es)\s+kommt\s+(?:heute|morgen|gleich|bald)\b
  | \berfolgreich\b
"""
_CLAIM: Final = re.compile(f"{_ENGLISH}|{_GERMAN}", re.VERBOSE)
_CONDITION: Final = re.compile(
    r"\b(?:if|once|when|whenever|after|until|unless|as\ soon\ as|as\ long\ as|whether"
    r"|wenn|falls|sobald|solange|nachdem|bis|sofern|ob|bevor)"
    r"\b(?!\s+(?:you\ like|sie\ möchten))[^,;:.!?]*",
    re.VERBOSE,
)
_RULE: Final = re.compile(
    r"\b(?:within|usually|normally|always|automatically|generally|typically|every|each|only"
    r"|innerhalb|binnen|in\ der\ regel|normalerweise|üblicherweise|immer|automatisch|jede[rsn]?|nur)\b",
    re.VERBOSE,
)
_HAPPENED: Final = re.compile(
    r"\b(?:i|i've|i'll|has|have|had|was|were|been|ich|habe|hat|wurde|wurden|today|now|already|just|successfully"
    r"|heute|jetzt|bereits|schon|soeben|gerade)\b"
)
# Where a parcel is can be looked up: such a sentence may rest on what was looked up, any other claim on nothing.
_STATE: Final = re.compile(
    r"\b(?:delivered|shipped|dispatched|placed|packed|ordered|arriv\w+|received|on\ (?:its|the)\ way|in\ transit"
    r"|geliefert|zugestellt|versandt|versendet|verschickt|verpackt|bestellt|unterwegs|auf\ dem\ weg|angekommen"
    r"|eingegangen)\b",
    re.VERBOSE,
)
_ACTED: Final = re.compile(
    r"\b(?:refund\w*|reimburs\w*|credited|cancell?\w*|voided|chang\w*|transferred|paid|money|geld\w*|\w*erstatt\w*"
    r"|storniert\w*|geändert\w*|überwiesen|gutgeschrieben|betrag|i|we|ich|wir)\b"
)


_ASKS: Final = re.compile(
    r"^(?:has|have|is|are|was|were|did|does|do|hat|haben|ist|sind|wurde|wurden|war)\s+(?:the|your|it|you|ihr\w*|die|das"
    r"|der|sie)\b(?!.*\b(?:that|dass)\b)[^,:;]*\?$"
)


_MARKS: Final = re.compile(r"[*_~`\\]")  # Markdown inside a word
_SPACED: Final = re.compile(r"(?<![^\W_])(?:[^\W\d_][ .·•|/-]{1,2}){2,}[^\W\d_](?![^\W_])")  # r e f u n d e d


def _joined(spaced: re.Match[str]) -> str:
    return re.sub(r"[\W_]", "", spaced.group())


def claims_something_done(sentence: str) -> bool:
    """Return whether the sentence says or promises that something was, is or will be done for the customer."""
    words = " ".join(_MARKS.sub("", undisguised(sentence).lower()).split())
    return any(_claims(view) or brings_news(view) for view in dict.fromkeys((words, _SPACED.sub(_joined, words))))


def _claims(words: str) -> bool:
    plain = _CONDITION.sub("", words)
    if _ASKS.match(plain) or _CLAIM.search(plain) is None:
        return False
    return _RULE.search(plain) is None or _HAPPENED.search(plain) is not None


def tells_where_it_is(sentence: str) -> bool:
    """Return whether the sentence only tells where an order is, which the shop's system can be asked."""
    plain = undisguised(sentence).lower()
    return _STATE.search(plain) is not None and _ACTED.search(plain) is None

"""Whether a sentence brings news of something done without saying so in a sentence's usual form. Pure.

"Refund: done", "Your order no longer exists", "Look out for the money on your card": no one acts here, and no verb is
in a past. Rules are told in much the same words ("Orders in parts are not shipped on Sundays"), so these forms count
only in a sentence without a condition, a "can" or a "within".
"""

import re
from typing import Final

# The money itself. A bare price beside a "now" is a rule of the shop: "Shipping costs just 4.90 EUR."
_MONEY_ITSELF: Final = r"(?:money|refunds?|re-?payments?|reimbursements?|cash|credit|amount|charge|payment)"
_FIGURE: Final = (
    r"(?:(?:(?<=[€$£])|(?<=[€$£]\ ))\d[\d.,]*"
    r"|\d[\d.,]*+\ ?(?:[€$£]|(?:eur|usd|gbp|chf|euros?|dollars?|pounds?|francs?)\b))"
)
_MONEY: Final = rf"(?:{_MONEY_ITSELF}|{_FIGURE}|euros?|dollars?|pounds?)"
_GOODS: Final = (
    r"(?:orders?|parcels?|packages?|shipments?|deliver(?:y|ies)|purchases?|subscription|request|wish|cancell?ation"
    r"|address|invoice|status|claim|case|matter|label|receipt)"
)
_GELD_SELBST: Final = r"(?:geld|\w*erstattung|rückzahlung|betrag|gutschrift|zahlung|\w*buchung)"
_GELD: Final = rf"(?:{_GELD_SELBST}|\d[\d.,]*+\s?(?:€|euro))"
_WARE: Final = (
    r"(?:bestellung|auftrag|paket|sendung|lieferung|stornierung|\w*adresse|anschrift|antrag|wunsch|anliegen|vorgang"
    r"|etikett)"
)
_NOW: Final = (  # "Costs just 4.90" is no news
    r"\b(?:now|already|just(?!\ (?:[\d€$£]|an?\b|one\b|two\b|the\b|about\b|under\b|over\b))|today|tomorrow|tonight"
    r"|(?:second|minute|moment)\ ago|as\ we\ speak)\b"
)
_JETZT: Final = r"\b(?:jetzt|nun|bereits|schon|soeben|gerade|heute|morgen|ab\ sofort|wieder)\b"
_WHOSE: Final = r"(?:(?:the|your|this|that|my|an?|full|whole|new|all|of|order|die|das|der|ihre?|alles|neue)\s+)*"
_FINISHED: Final = (
    r"(?:refunded|reimbursed|credited|cancell?ed|voided|changed|updated|issued|processed|initiated|approved|completed?"
    r"|sent|confirmed|done|reversed|transferred|repaid|paid\ back|deleted|returned|redirected|rerouted|stopped|granted"
    r"|storniert|\w*erstattet|erledigt|veranlasst|geändert|aktualisiert|\w*überwiesen|bestätigt|abgeschlossen"
    r"|gutgeschrieben|ausgeführt|gelöscht|umgeleitet|gestoppt|genehmigt|gemacht|angestoßen|zurückgezahlt|raus|durch)"
)
# A clause that is a verdict and nothing else: "Refund: issued", "Order WF-1? Cancelled.", "Ist gemacht!"
_VERDICT: Final = re.compile(
    rf"""(?:(?:all|it's|is|ist|now|just|already|schon|so|fertig)\s+)*
    {_WHOSE}(?:(?:{_MONEY}|{_GOODS}|{_GELD}|{_WARE})(?:\s+(?:now|just|already|schon|jetzt|\#?[a-z]{{0,4}}-?\d[\w-]*))*
    \s*)?{_FINISHED}(?:\s+(?:for\ you|für\ sie|now|today|already|jetzt|heute|schon))?""",
    re.VERBOSE,
)
_CLAUSE: Final = re.compile(r"[.,;:!?…–—|✅✔☑\n]+|\s-\s|^\s*[-*•>]+\s")
_BEFORE_A_LIST: Final = 3  # further on, "done" is one of several states that are listed
_NEWS: Final = re.compile(
    rf"""
    {_NOW}.*\b(?:{_GOODS}|{_MONEY_ITSELF})\b | \b(?:{_GOODS}|{_MONEY_ITSELF})\b.*{_NOW}
  | {_JETZT}.*\b(?:{_WARE}|{_GELD_SELBST}) | \b(?:{_WARE}|{_GELD_SELBST})\b.*{_JETZT}
  | ^\W*(?:refund|reimburs|cancell?|chang|updat|process|transferr|send|revers|redirect)ing\b
      (?!.*\b(?:is|are|takes?|costs?|works?)\b)
  | ^\W*(?:just\ )?{_FINISHED}\s+(?:it|that|this|your|the)\b
  | \b(?:it|that)\ worked\b | \bes\ hat\ geklappt\b | \bnichts\ mehr\ (?:be)?zahlen\b
  | \bnew\ (?:\w+\ )?address\ is\b | \b(?:knows?|carries|bears|has|kennt|trägt|hat|ships?\ to|goes\ to)\b[^.!?]{{0,15}}
      \b(?:new|neue\w?)\b[^.!?]{{0,12}}\b(?:address|adresse|anschrift|place)
  | \bno\ longer\ the\ owner\b | {_GOODS}\b[^.!?:]{{0,15}}\b(?:is|are)\ (?:dead|final)\b | ^\W*receipt\s*[:\#]
  | \bconsider\b.*\b{_FINISHED}\b | \bbetrachten\ sie\b.*\bals\ {_FINISHED}\b
  | {_GOODS}\b[^.!?:]{{0,25}}\b(?:stands|stays|remains|got|is\ now)\s+(?:{_FINISHED}|scrapped|called\ off|off)\b
  | {_GOODS}\b[^.!?:]{{0,25}}\b(?:is|are)\s+(?:off|history|no\ more)\b(?!\ (?:limits|line))
  | {_GOODS}\b[^.!?:]{{0,25}}\b(?:called\ off|no\ longer\ exists?|does\ not\ exist|ended|(?:has|have)
      \ (?:now\ )?a\ new)\b
  | {_GOODS}\b[^.!?:]{{0,25}}\b(?:is|was|has\ been|were)\ (?:granted|fulfilled|hono(?:u)?red|put\ through)\b
  | {_GOODS}\b[^.!?:]{{0,25}}\b(?:will\ not|won't|will\ no\ longer|will\ never)\s+be\ (?:sent|shipped|delivered
      |dispatched|charged)\b
  | \bnothing\ (?:will|is\ going\ to)\b[^.!?]{{0,20}}\b(?:delivered|shipped|sent|charged|arrive|come)\b
  | \byou\ (?:will\ not|won't|will\ no\ longer|are\ no\ longer)\s+(?:be\ )?(?:charged|billed|pay)\b
  | \b(?:called\ off|scrapped|hit\ the\ refund|pressed\ (?:the\ )?refund|went\ (?:straight\ )?through|went\ live)\b
  | \b(?:the|our|my|your)\ (?:warehouse|bank|manager|supervisor|boss|shop|store|carrier|courier|team|staff|billing
      |accounting|colleagues?|(?:finance\ )?department)\s+(?:has\ |have\ |just\ |already\ )*(?!looked|checked)\w{{3,}}ed
      \ (?:it|that|your|the|everything|both)\b
  | \btold\ (?:the|our|my)\ (?:bank|warehouse|team|carrier|courier|shop)\b
  | \byou(?:'ll|\ will|\ should|\ can\ now|\ may\ already)\ (?:\w+\ )?(?:see|find|have|notice|get|receive)\b
      [^.!?]{{0,25}}\b{_MONEY}(?!\w)
  | ^\W*(?:please\ |just\ )?(?:expect|look\ (?:out\ )?for|watch\ (?:out\ )?for|await)\b[^.!?]{{0,25}}\b{_MONEY}(?!\w)
  | \b{_MONEY}\s+(?:is|are)\ (?:now\ |already\ |again\ )?(?:in|with|at|being|heading|moving|coming|travell?ing
      |yours|there|here|safe|back)\b
  | \b{_MONEY}\s+(?:should|will|must|ought\ to)\s+(?:now\ |soon\ |already\ )?(?:show|appear|be\ (?:there|visible|in|on)
      |reach|hit)\b
  | \b{_FIGURE}\s+(?:goes|comes|go|come|is\ going|are\ going)\s+(?:back\ )?(?:on)?to\ you
  | (?:\b{_FIGURE}[^.!?]{{0,15}}\b(?:arrive|leave|land|come|go|reach|hit)s?\b
      |\byou\s+(?:get|receive)\b[^.!?]{{0,15}}{_FIGURE})[^.!?]{{0,40}}{_NOW}
  | \b{_MONEY}\s+(?:bounced|moved|went|flew|came|landed)\b | \b(?:shows?|sees?)\ the\ (?:credit|refund|money)\b
  | \baddress\b[^.!?:]{{0,15}}\b(?:is|was|has\ been)\s+(?:now\ )?(?:saved|stored|set|corrected|adjusted|entered|on\ file
      |in\ place)\b
  | {_WARE}\b[^.!?:]{{0,20}}\b(?:existiert|gibt\ es)\s+nicht\ mehr\b
  | {_WARE}\b[^.!?:]{{0,20}}\bwird\s+nicht\ mehr\ \w+
  | {_WARE}\b[^.!?:]{{0,20}}\b(?:wurde|ist|sind)\s+(?:jetzt\ |nun\ |hiermit\ )?(?:genehmigt|erfüllt|bewilligt|vom\ tisch
      |hinterlegt|vergessen|weg)\b
  | \b\w*(?:adresse|anschrift)\s+(?:stimmt|passt|lautet|ist)\s+(?:jetzt|nun|ab\ sofort)\b
  | \b{_GELD}\s+(?:läuft|ist\ (?:schon\ |jetzt\ |nun\ )?(?:raus|da|durch)|kommt|liegt|steht|erscheint|sind\ wieder)\b
  | \b(?:geld|betrag|erstattung|gutschrift)\b[^.!?:]{{0,10}}\b(?:wird|ist)\b[^.!?]{{0,20}}\b(?:gleich|sichtbar)\b
  | \bsie\s+(?:bekommen|erhalten|haben)\b[^.!?]{{0,15}}\b(?:heute|morgen|jetzt|gleich|nun|wieder)\b[^.!?]{{0,15}}{_GELD}
  | \b(?:das|die|unser|unsere|mein|meine|ihre)\ (?:lager|bank|team|kollegin|chef|chefin|buchhaltung|versandabteilung)
      \s+(?:hat|haben)\b[^.!?]{{0,60}}(?:ge|be|er|ver|über|frei|zurück|an|um)\w+(?:t|en)\b
  | \b(?:karte|konto)\s+(?:wurde|ist)\s+(?:ent|be)lastet\b
  | \bwurden?\s+alles\b
    """,
    re.VERBOSE,
)
# What makes a rule of it, or a choice.
_OPEN: Final = re.compile(
    r"\b(?:if|once|when|whenever|after|until|unless|as\ soon\ as|whether|where|before|within|usually|normally|always"
    r"|automatically|generally|every|each|only|can|may|could|must|need|would|depends|orders\ placed"
    r"|wenn|falls|sobald|nachdem|bis|sofern|ob|bevor|innerhalb|binnen|normalerweise|üblicherweise|immer|automatisch"
    r"|jede[rsnm]?|nur|kann|können|darf|dürfen|muss|müssen|müsste|könnte\w*|würde\w*)\b"
)
# What costs nothing is a rule, and tells nothing of the rest of its sentence. Looked for from the beginning of a clause
# alone: a wall of letters would be read once for each of them.
_FREE: Final = re.compile(
    r"(?<![^,;:.])[^,;:.]*"
    r"\b(?:(?:is|are)\ (?:\w+\ )?free|(?:ist|sind)\ (?:\w+\ ){0,3}(?:kostenlos|kostenfrei|gratis))\b[^,;:.]*"
)
_ASKED: Final = re.compile(r"(?:^|(?<=[,;:.!–—]))[^,;:.!?–—]*\?\s*$")


def brings_news(words: str) -> bool:
    """Return whether a sentence in plain lower case tells, in whatever form, that something has come about."""
    words = _FREE.sub("", words)
    if _OPEN.search(words):
        return False
    clauses = _CLAUSE.split(words)[:_BEFORE_A_LIST]
    if any(_VERDICT.fullmatch(clause.strip(" \"'“”„()[]")) for clause in clauses):
        return True
    return _NEWS.search(_ASKED.sub("", words)) is not None

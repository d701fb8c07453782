"""Which sentences state a fact and so need a source. Pure; when in doubt a sentence is a fact.

What needs no source is a closed set of whole sentences: a courtesy, a question back, a word about the assistant itself.
Every clause must be one of them. A beginning proves nothing: "Sure, your money is on its way" is no courtesy.
"""

import re
from typing import Final

from supportbot.assistant.citations import meaningful_stems
from supportbot.language.normalise import undisguised

_ANOTHER: Final = r"(?:anything|something)(?:\ else)?|(?:any\ )?(?:other|more|further)\ questions?"
_OURS: Final = (
    r"(?:(?:the|your|this|that|my|any|our|an?|ihre\w*|diese\w*|die|das|den|der|eine?\w*|meine\w*)\s+)?(?:(?:order"
    r"|bestellung|ticket|account|konto|request|anfrage|question|frage|parcel|paket|refund|erstattung|address|adresse"
    r"|item|artikel|details?|data|information|informationen|number|nummer|bestellnummer|return|payment|zahlung|answer"
    r"|antwort|case|thing|problem|money|geld)s?|this|that|it|these|those|das|dies|es|dazu|darauf)"
)
_NUMBERED: Final = r"(?:\s+\#?[a-z]{0,4}-?\d[\w.-]*(?:\s?(?:eur|€|usd))?)?"
_PERSON: Final = (
    r"(?:(?:to|on\ to|with|by)\ )?(?:a|one\ of\ our|our|my|the|einen?|einem|meinen?|unsere[mn]?)\s+(?:human\ )?"
    r"(?:person|people|colleagues?|human|team|agents?|supervisor|menschen|kolleg\w+|team|mitarbeiter\w*)"
)
_COURTESY: Final = rf"""
    (?:hi|hello|hey|welcome|dear)(?:\ (?:there|again|[a-zäöü]+))?(?:\ and\ welcome)?
  | good\ (?:morning|afternoon|evening|day)
  | (?:many\ )?thanks?(?:\ (?:you|a\ lot))?(?:\ (?:so|very)\ much)?
      (?:\ for\ (?:\w+ing(?:\ (?:us|in|out|me|to\ us))?|your
          \ (?:message|patience|question|understanding|interest|feedback|reply)|the\ (?:details|information)|that))?
      (?:\ and\ for\ your\ patience)?
  | you(?:'re|\ are)\ (?:very\ |most\ )?welcome
  | (?:yes|no|yeah|sure(?:\ thing)?|of\ course|certainly|absolutely|definitely|okay|ok|alright|all\ right|right|great
      |perfect|wonderful|excellent|understood|noted|gladly|indeed|exactly|well)
  | (?:i(?:'ve)?\ )?(?:got\ it|see|understand|hear\ you)(?:\ (?:now|completely|your\ (?:frustration|concern|question)))?
  | no\ (?:problem|worries|trouble)(?:\ at\ all)?
  | my\ pleasure
  | (?:that'?s?\ (?:is\ )?|what\ )?(?:an?\ )?(?:very\ )?(?:good|great|excellent|fair)\ (?:question|point|idea)
  | (?:i(?:'m|\ am)\ |we(?:'re|\ are|\ will\ be)\ )?(?:very\ |always\ )?(?:happy|glad|here|pleased|delighted)\ to
      \ (?:help|assist|hear\ (?:that|it|this)|be\ of\ help)(?:\ you)?(?:\ (?:further|with\ (?:that|this|it)))?
  | (?:happy|glad)\ (?:to\ help|i\ could\ help)
  | (?:i\ hope|hope|hopefully)\ (?:this|that|it)\ (?:helps|helped|answers\ your\ question)(?:\ you)?
  | (?:i\ (?:can\ )?understand\ |i\ know\ )?(?:that|how|this|it)
      \ (?:(?:is|must\ be|can\ be|sounds|that\ is|this\ is|that\ must\ be|this\ must\ be)\ )?(?:really\ |very\ |so\ )?
      (?:frustrating|annoying|disappointing|upsetting|stressful|inconvenient|worrying|confusing)
      (?:\ (?:that\ is|this\ is|that\ must\ be|this\ must\ be|it\ is|for\ you|is))*
  | (?:i(?:'m|\ am)\ |we(?:'re|\ are)\ )?(?:so\ |very\ |really\ |truly\ )?sorry
      (?:\ (?:about|for)\ (?:that|this|it|the\ (?:trouble|inconvenience|confusion|delay|wait|mix-up)))?
      (?:\ to\ hear\ (?:that|this|about\ (?:that|this)))?(?:\ (?:to\ hear\ )?that\ your\ (?:item|order|parcel|package)
        \ (?:arrived|is|was)\ (?:broken|damaged|late|faulty|wrong))?
  | (?:i|we)\ apologi[sz]e(?:\ for\ (?:that|this|the\ (?:trouble|inconvenience|confusion|delay|wait)))?
  | (?:my\ )?apologies(?:\ for\ (?:that|this|the\ \w+))?
  | (?:that|something|this)\ (?:went|has\ gone)\ wrong
  | (?:please\ )?try\ (?:it\ )?again(?:\ (?:later|in\ a\ (?:few\ minutes?|moment|minute|while)))?
  | (?:please\ )?(?:take\ care|good\ luck|bear\ with\ me|one\ moment|just\ a\ (?:moment|second)|goodbye|bye
      |see\ you(?:\ soon)?)(?:\ please)?
  | (?:i\ wish\ you\ |have\ )?an?\ (?:nice|great|good|lovely|wonderful|pleasant)\ (?:day|evening|weekend|time)
      (?:\ (?:too|ahead))?
  | (?:please\ )?(?:feel\ free\ to\ )?(?:let\ me\ know|tell\ me|ask(?:\ me)?|reach\ out|write)
      (?:\ (?:any\ time|again|more|anything\ else(?:\ about\ our\ help\ pages)?))?
      (?:\ (?:if|when|whenever)\ (?:you\ (?:need|have|want|would\ like)\ (?:{_ANOTHER}|help|more\ help)
        |there\ is\ (?:{_ANOTHER})|(?:that|this)\ helps)(?:\ from\ me|\ to\ know)?)?
  | let(?:'s|\ us)\ (?:get\ (?:this|that|it)\ sorted(?:\ out)?|see|have\ a\ look|take\ a\ look)
  | if\ you\ (?:like|want|wish|prefer|need\ (?:{_ANOTHER}|help)|have\ (?:{_ANOTHER}))
  | to\ (?:be\ sure|make\ sure|confirm)(?:\ (?:that\ )?i\ (?:get|understand|understood)\ (?:it|you|this)
        (?:\ (?:right|correctly))?)?
  | (?:here\ (?:is|are)|this\ is|these\ are)\ (?:how\ (?:it\ works|to\ do\ (?:it|that|this))|the\ steps|what\ i\ found
      |the\ answer)
  | (?:follow|try)\ these\ steps
  | in\ short
  | (?:however|but|so|unfortunately|and|also)
"""
_OF_ITSELF: Final = rf"""
    (?:i(?:'m|\ am)|this\ is|you\ are\ talking\ to|you(?:'re|\ are)\ chatting\ with)\ (?:only\ |just\ )?
      (?:an?\ |the\ |your\ )?(?:\w+\ )?(?:ai(?:\ (?:support\ )?assistant)?|(?:virtual\ |ai\ |support\ )*assistant|bot
      |chatbot|machine)(?:\ (?:of\ \w+|that\ answers\ from\ our\ help\ pages))?
  | i\ answer\ (?:by\ quoting|from)\ our\ help\ pages(?:\ word\ for\ word)?
  | ready\ to\ look\ things\ up\ in\ our\ help\ pages
  | this\ ai\ assistant\ is\ here\ whenever\ you\ need\ it
  | i\ answer\ questions\ from\ our\ help\ pages\ and\ show\ the\ page\ each\ answer\ is\ from
  | when\ you\ are\ signed\ in
  | i\ can\ also\ look\ up\ your\ orders\ and\ prepare\ what\ you\ want\ done\ with\ them
  | nothing\ happens\ until\ you\ confirm(?:\ it)?
  | (?:so\ |and\ |but\ )?i\ (?:would|'d)\ rather\ not\ guess
  | (?:so\ |and\ |but\ )?i\ (?:do\ not|don't)\ want\ to\ guess
  | (?:so\ |and\ |but\ |therefore\ )?(?:(?:i|we)\ (?:can(?:not|'t|\ not)|could\ not|couldn't
        |am\ (?:not\ able|unable)\ to|do\ not|don't|was\ unable\ to)|i'm\ (?:not\ able|unable)\ to)
      \ (?:see|view|access|look\ up|look\ into|find|change|cancel|refund|check|do|answer|help(?:\ you)?(?:\ with)?|know
      |tell|say|handle|have|confirm)(?:\ (?:about|with|on))?(?:\s+{_OURS}{_NUMBERED}|{_NUMBERED})?
      (?:\ (?:myself|from\ here|for\ you|for\ sure|in\ our\ help\ pages|right\ now|here
        |without\ (?:a|the)\ (?:card|order\ number)))*
  | (?:so\ |and\ |but\ )?i\ (?:can(?:not|'t)|could\ not|couldn't|did\ not|didn't|was\ unable\ to)\ find\ [^\W\d]+
      (?:\s+[^\W\d]+){{0,7}}
  | i\ (?:do\ not|don't)\ have\ (?:any\ |that\ |enough\ |this\ )?information(?:\ (?:on|about)\ (?:that|this|it))?
  | (?:i(?:'m|\ am)\ )?not\ (?:sure|certain)(?:\ about\ (?:that|this))?
  | (?:there\ is\ )?(?:nothing|no\ information)\ (?:about\ (?:this|that|it)\ )?in\ our\ help\ pages
      (?:\ about\ (?:this|that|it))?
  | (?:i\ can|let\ me|i(?:\ will|'ll)|i(?:'m|\ am)|a\ person\ can|our\ team\ (?:can|will)|a\ colleague\ (?:can|will))
      \ (?:gladly\ |happily\ |now\ |be\ happy\ to\ |also\ )?
      (?:help(?:\ you)?(?:\ (?:with|on)\ {_OURS})?(?:\ further)?|look|check|have\ a\ look|take\ a\ look|see|explain
      |look\ (?:into|at|for|up)\ {_OURS}{_NUMBERED}|look\ (?:it|that|this)\ up|check\ {_OURS}{_NUMBERED}|find\ out
      |take\ over(?:\ at\ any\ time)?|get\ back\ to\ you|look\ after\ (?:it|this)
      |(?:pass(?:ing)?|hand(?:ing)?|connect(?:ing)?|put(?:ting)?|forward(?:ing)?)(?:\ (?:you|{_OURS}))?
        (?:\ (?:on|over|through))?(?:\ {_PERSON})?)(?:\ for\ you)?(?:\ (?:right\ away|now|first|at\ once))?
  | (?:a\ person|a\ colleague|our\ team)\ can(?:\ (?:help|do\ (?:it|that)))?
  | (?:then\ )?please\ (?:tell|give|let|send|share\ with)\ (?:me|us)\ (?:know\ )?(?:your|the|which|what)?\ ?(?:more\ )?
      (?:order\ number|order|item|details?|name|about\ it|more|e-?mail(?:\ address)?|which\ (?:order|item)\ it\ is)
      (?:\ (?:is\ it|it\ is|you\ mean|of\ (?:your|the)\ order|first|please))?
  | (?:please\ )?(?:describe|say)\ (?:the\ problem|what\ happened|it)(?:\ in\ (?:a\ few|other)\ words)?
  | (?:it|the\ (?:order\ )?number|order\ numbers?)\ (?:starts?|begins?)\ with\ [a-z\#]{{1,4}}-?
  | (?:a\ person|you)\ can\ (?:take\ over|talk\ to\ a\ person|choose)(?:\ at\ any\ time)?
  | choose\ "?talk\ to\ a\ person"?
"""
_GERMAN: Final = rf"""
    (?:hallo|hi|willkommen|guten\ (?:tag|morgen|abend)|moin|servus|grüß\ gott)(?:\ [a-zäöüß]+)?(?:\ und\ willkommen)?
  | (?:vielen\ |herzlichen\ |besten\ )?dank(?:e)?(?:\ (?:schön|sehr))?(?:\ für\ (?:ihre|deine|die|das|den)\ \w+)?
  | (?:ja|nein|gern(?:e)?|sehr\ gern(?:e)?|gern(?:e)?\ geschehen|natürlich|klar|selbstverständlich|sicher|okay|ok|gut
      |prima|super|perfekt|verstanden|in\ ordnung|einverstanden|keine\ ursache|nichts\ zu\ danken|bitte(?:\ sehr|schön)?
      |genau)
  | (?:alles\ klar|kein\ problem|gute\ (?:frage|idee)|das\ ist\ eine\ (?:sehr\ )?gute\ frage|einen\ moment(?:\ bitte)?)
  | (?:auf\ wiedersehen|tschüss|bis\ bald|machen\ sie\ es\ gut)
  | (?:ich\ wünsche\ ihnen\ )?(?:noch\ )?(?:einen?\ )?(?:schöne[ns]?|guten)\ (?:tag|abend|wochenende)(?:\ noch)?
  | (?:entschuldigung|verzeihung|(?:(?:das|es)\ )?tut\ mir\ (?:sehr\ )?leid(?:\ (?:zu\ hören|das\ zu\ hören))?)
  | (?:ich\ (?:bitte\ um\ entschuldigung|entschuldige\ mich)(?:\ für\ (?:das|die|den|diese[ns]?)\ \w+)?)
  | (?:das|es|dass\ (?:das|es))\ (?:ist|war|klingt)?\ ?(?:sehr\ |wirklich\ )?
      (?:ärgerlich|schade|frustrierend|unangenehm)(?:\ ist)?
  | (?:ich|das)\ (?:verstehe|kann\ (?:ich\ )?(?:gut\ )?(?:verstehen|nachvollziehen))(?:\ (?:das|sie|ihren\ ärger|gut))*
  | (?:das\ freut\ mich(?:\ zu\ hören)?|freut\ mich)
  | (?:ich\ hoffe|hoffentlich)\ (?:das\ )?(?:hilft|konnte\ ich)\ ?(?:ihnen\ )?(?:das\ )?(?:weiter|helfen)?
  | (?:da(?:s)?|etwas|hier)\ (?:ist\ (?:etwas\ )?schiefgegangen|ging\ schief|hat\ nicht\ geklappt)
  | (?:bitte\ )?versuchen\ sie\ es\ (?:bitte\ )?(?:noch\ einmal|erneut|später\ (?:noch\ einmal|wieder))
      (?:\ in\ (?:ein\ paar|wenigen)\ minuten)?
  | so\ (?:geht\ (?:es|das)|funktioniert\ (?:es|das))
  | kurz\ gesagt
  | (?:ich|wir)\ (?:helfe|helfen|kann|können|unterstütze)\ (?:ihnen\ )?(?:dabei\ |damit\ |da\ )?(?:gern(?:e)?\ )?
      (?:dabei\ |damit\ )?(?:weiter(?:helfen)?|helfen)?
  | (?:melden\ sie\ sich|fragen\ sie|schreiben\ sie)(?:\ (?:mich|mir|uns))?(?:\ gern(?:e)?)?
      (?:\ (?:jederzeit|einfach|wieder|noch\ etwas(?:\ zu\ unseren\ hilfeseiten)?))*
  | wenn\ sie\ (?:möchten|wollen|mögen|noch\ (?:fragen\ haben|etwas\ brauchen))
  | (?:leider|aber|also|und|deshalb)
  | (?:ich\ bin|dies\ ist|sie\ (?:schreiben|sprechen)\ mit)\ (?:nur\ )?(?:ein(?:em)?|der|dem)
      \ (?:ki-?assistent(?:en)?|ki|assistent(?:en)?|bot|chatbot|virtuelle[rn]?\ assistent(?:en)?)
      (?:\ und\ schlage\ gern\ etwas\ in\ unseren\ hilfeseiten\ nach)?
  | ich\ beantworte\ fragen\ aus\ unseren\ hilfeseiten\ und\ zeige
  | woher\ die\ antwort\ stammt
  | wenn\ sie\ angemeldet\ sind
  | sehe\ ich\ auch\ ihre\ bestellungen\ nach\ und\ bereite\ vor
  | was\ damit\ geschehen\ soll
  | nichts\ geschieht
  | bevor\ sie\ es\ bestätigen
  | der\ aus\ unseren\ hilfeseiten\ antwortet
  | ich\ antworte
  | indem\ ich\ unsere\ hilfeseiten\ wörtlich\ zitiere
  | dieser\ ki-?assistent\ ist\ da
  | wenn\ sie\ ihn\ brauchen
  | (?:deshalb\ )?(?:möchte\ ich|ich\ möchte)\ nicht\ raten
  | (?:dazu|darüber|hierzu)\ (?:steht\ (?:leider\ )?nichts\ in\ unseren\ hilfeseiten
      |habe\ ich\ (?:leider\ )?(?:keine\ informationen?|nichts\ gefunden)|finde\ ich\ (?:leider\ )?nichts)
  | (?:leider\ |das\ |dazu\ )*(?:ich\ )?(?:kann|konnte|weiß)(?:\ ich)?(?:\ (?:ihnen|leider|{_OURS}{_NUMBERED}))*
      (?:\ (?:leider\ )?nicht(?:s)?)(?:\ (?:selbst|sicher|genau))?
      (?:\ (?:sehen|einsehen|ändern|stornieren|erstatten|beantworten|finden|sagen|helfen|prüfen|nachsehen))?
      (?:\ in\ unseren\ hilfeseiten)?
  | ich\ konnte\ (?:[^\W\d]+\s+){{1,8}}nichts?\ finden
  | (?:ich\ (?:sehe|schaue|gucke)\ (?:gern\ |kurz\ |gleich\ |jetzt\ )*(?:für\ sie\ )?nach|ich\ (?:prüfe|kläre)\ {_OURS})
  | ich\ (?:gebe|leite|verbinde)\ (?:sie|{_OURS})?\ ?(?:(?:gern|jetzt)\ )?(?:an|mit)\ {_PERSON}(?:\ weiter)?
  | (?:das\ )?(?:ein\ mensch|ein\ kollege|eine\ kollegin|unser\ team)\ kann\ (?:ihnen\ )?(?:jederzeit\ )?(?:das\ )?
      (?:dabei\ )?(?:gern\ )?(?:übernehmen|helfen|weiterhelfen|tun)
  | (?:bitte\ )?(?:nennen|sagen|geben|schicken|schreiben)\ sie\ mir\ (?:bitte\ )?(?:noch\ |einfach\ )?
      (?:{_OURS}|worum\ es\ geht|welche\ bestellung\ es\ ist|mehr(?:\ dazu)?)
  | (?:bitte\ )?beschreiben\ sie\ (?:bitte\ )?(?:das\ problem|es|kurz\ das\ problem|was\ passiert\ ist)
  | (?:sie|die\ (?:bestell)?nummer)\ beginnt\ mit\ [a-z\#]{{1,4}}-?
  | wählen\ sie\ "?mit\ einem\ menschen\ sprechen"?
"""
_FREE: Final = re.compile(f"(?:{_COURTESY}|{_OF_ITSELF}|{_GERMAN})", re.VERBOSE)
_ASKS: Final = re.compile(
    r"""
    (?:and\ |or\ |but\ |so\ |also\ |und\ |oder\ )?(?:what|which|who|where|when|why|how|is|are|was|were|do|does|did|have
      |has|can|could|would|will|shall|should|may|might|in\ which|for\ which|anything|something|any|wel\w+|was|wer|wo
      |wann|warum|wieso|wie|wor\w+|wof\w+|wom\w+|ist|sind|haben|hat|hatten|können|kann|könnten|möchten|wollen|darf
      |dürfen|soll|sollen|sonst|gibt|meinen|wurde|wurden|wissen|geht|handelt|or|oder|um\ wel\w+|stimmt|brauchen)\b
""",
    re.VERBOSE,
)
# A question that carries a statement: "Did you know that shipping is free?"
_CARRIES: Final = re.compile(
    r"""
    \b(?:that|dass)\s+(?:\w+\W+){1,8}?(?:is|are|was|were|has|have|will|can|ist|sind|hat|wird|wurde|kann|kostet)\b
  | \b(?:(?:did|do)\ you\ know|would\ you\ believe|wussten\ sie)\b
      (?!\ (?:what|which|where|when|why|how|who|if|whether|your|the\ (?:order\ )?number))
  | \b(?:tell\ you|because|since|weil|denn)\b
""",
    re.VERBOSE,
)
_CLAUSE: Final = re.compile(r"\s*(?:[,;:–—]|[.!?…]+)(?:\s+|$)|\s+-\s+")
_ORNAMENT: Final = re.compile(r"[*_~`#>|•\"“”„«»()\[\]]|[^\W\w]|[\U0001f000-\U0001faff\u2600-\u27bf]")
_COURTEOUS_STEMS: Final = meaningful_stems(
    "great good nice day question point help happy glad pleasure welcome thanks sorry understand course absolutely"
    " sure certainly problem wonderful perfect awesome sounds okay yes hope know frustrating moment please patience "
    "message gute frage gern danke bitte klar verstehe problem natürlich schön tag abend super prima hilfe helfen leid"
    " moment freut"
)
_UNKNOWN: Final = re.compile(
    r"""\b(?:
      (?:could|can|did|do|was|am)\s*(?:not|n't|unable\ to)\s*(?:able\ to\s*)?(?:find|know|see|have|answer)
    | couldn't\ find | can't\ find | cannot\ find | don't\ know | don't\ have | no\ information
    | not\ (?:in|covered\ in)\ our\ help
    | konnte[^.]{0,60}nicht\ finden | weiß\ (?:ich|das)[^.]{0,20}nicht | nicht\ raten | steht\ nichts
    | keine\ informationen? | nicht\ beantworten
    )""",
    re.IGNORECASE | re.VERBOSE,
)


def states_a_fact(sentence: str) -> bool:
    """Return whether the sentence says something about the world that must be sourced."""
    bare = " ".join(_ORNAMENT.sub(" ", undisguised(sentence).lower()).split()).lstrip("-– ")
    if not any(char.isalpha() for char in bare):
        return any(char.isdigit() for char in bare)
    is_question = bare.endswith("?")
    if is_question and _CARRIES.search(bare):
        return True
    return not all(_is_free(clause, is_question=is_question) for clause in _CLAUSE.split(bare) if clause.strip())


def _is_free(clause: str, *, is_question: bool) -> bool:
    return (is_question and _ASKS.match(clause) is not None) or _FREE.fullmatch(clause.strip()) is not None


def is_small_talk(sentence: str) -> bool:
    """Return whether a sentence consists of courteous words alone: withheld, it leaves no gap in an answer."""
    return meaningful_stems(sentence) <= _COURTEOUS_STEMS


def asks(sentence: str) -> bool:
    """Return whether the sentence is a question back that carries no statement."""
    return sentence.rstrip(" *_)").endswith("?") and not states_a_fact(sentence)


def says_unknown(text: str) -> bool:
    """Return whether the text admits that it has no answer."""
    return _UNKNOWN.search(text) is not None

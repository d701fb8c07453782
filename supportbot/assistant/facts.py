"""Which sentences state a fact and so need a source. Pure; when in doubt a sentence is a fact."""

import re
from typing import Final

_COURTESY: Final = re.compile(
    r"""^(?:hi|hello|hey|welcome|good\ (?:morning|afternoon|evening)|thanks?|thank\ you|you'?re\ welcome
    |you\ are\ welcome|sure|of\ course|certainly|okay|ok|goodbye|bye|sorry|i'?m\ sorry|i\ am\ sorry
    |hallo|guten\ (?:tag|morgen|abend)|danke|vielen\ dank|gern(?:\ geschehen)?|natürlich|auf\ wiedersehen
    |entschuldigung|(?:es\ )?tut\ mir\ leid)\b""",
    re.IGNORECASE | re.VERBOSE,
)
_ABOUT_ITSELF: Final = re.compile(
    r"""^(?:(?:however|but|so|unfortunately|leider|aber)[,\ ]+)?(?:
      i(?:'m|\ am)\ (?:an?\ |the\ |your\ )?(?:ai\b|assistant|virtual|unable|not\ (?:sure|able)|here|happy|glad|passing)
    | i\ (?:could\ not|couldn't|cannot|can't|can\ not|do\ not|don't|did\ not|didn't|was\ unable|would\ rather|answer)
    | i\ can\ (?:help|look|pass|connect|try|hand|put) | i(?:\ will|'ll)\ (?:look|pass|connect|hand)
    | let\ me | please\ (?:tell|give|let|say|describe|share) | if\ you\ (?:like|want|wish) | would\ you | could\ you
    | do\ you | you\ are\ talking\ to | a\ person\ can | ask\ me | how\ can\ i\ help | what\ can\ i | this\ ai\b
    | ich\ (?:bin\ (?:ein|der|die|nicht)|konnte|kann\ (?:ihnen\ (?:gern\ )?helfen|dazu|das\ nicht|nicht|nachsehen)
      |weiß|gebe|möchte\ nicht|antworte)
    | bitte\ (?:nennen|sagen|geben|beschreiben) | sie\ schreiben\ mit | ein\ mensch\ kann | dieser\ ki\b
    | dazu\ (?:steht\ nichts|habe\ ich) | möchten\ sie
    )\b""",
    re.IGNORECASE | re.VERBOSE,
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
_NUMBER: Final = re.compile(r"\d")
_MAX_COURTESY_WORDS: Final = 12


def states_a_fact(sentence: str) -> bool:
    """Return whether the sentence says something about the world that must be sourced."""
    bare = sentence.strip().lstrip("*_-•> ")
    if not any(char.isalpha() for char in bare):
        return bool(_NUMBER.search(bare))
    if bare.endswith("?"):
        return False
    if _NUMBER.search(bare):
        return True
    if _COURTESY.match(bare):
        return len(bare.split()) > _MAX_COURTESY_WORDS
    return _ABOUT_ITSELF.match(bare) is None


def says_unknown(text: str) -> bool:
    """Return whether the text admits that it has no answer."""
    return _UNKNOWN.search(text) is not None

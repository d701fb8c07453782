"""Which pieces are worth comparing with the question by meaning, and as what text. Pure.

Words alone choose wrongly between pieces that all speak of the subject. An embedding costs some tens of milliseconds,
so only the few best by words are compared, each under its title and heading: alone, "It costs nothing" means
everything. A whole piece tells best what is to be quoted, its best line whether it answers at all.
"""

from typing import Final

from supportbot.builtin.pieces import Piece, pieces_of
from supportbot.builtin.quoting import PIECES_MOST
from supportbot.builtin.ranking import Ranked, rank
from supportbot.language.detection import base_language, detect
from supportbot.llm.types import ModelRequest

CANDIDATES: Final = 6
CHARACTERS_MOST: Final = 400  # as good as the whole, and quicker


def worth_comparing(request: ModelRequest) -> dict[str, str]:
    """Return the text to embed for each piece that may answer; empty where nothing is to be quoted."""
    best = ranked(request)[:CANDIDATES] if request.is_answerable else []
    return {entry.piece.text: _in_its_place(entry.piece, _said_in(entry.piece)) for entry in best}


def worth_checking(request: ModelRequest) -> dict[str, str]:
    """Return the text to embed for the best line of each piece that will be quoted, once pieces were compared."""
    best = ranked(request)[:PIECES_MOST] if request.is_answerable else []
    return {entry.line.text: _in_its_place(entry.piece, entry.line.compared) for entry in best}


def ranked(request: ModelRequest) -> list[Ranked]:
    """Return the pieces of a request's sources, best first."""
    pieces = [piece for source in request.sources for piece in pieces_of(source)]
    language = detect(request.question, base_language(request.locale))
    return rank(request.sought, pieces, language=language, nearness=request.nearness, newest=request.question)


def _said_in(piece: Piece) -> str:
    return " ".join(line.compared for line in piece.lines)


def _in_its_place(piece: Piece, said: str) -> str:
    return "\n".join(part for part in (piece.source.title, piece.heading, said) if part)[:CHARACTERS_MOST]

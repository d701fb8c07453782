"""The curated answer of an article as the answer of a turn: word for word, citing the article."""

from kb.search import Curated
from supportbot.chat.answers import Answer, CitedSpan
from supportbot.language.plaintext import without_pictures


def given(curated: Curated) -> Answer:
    """Return a curated answer. No model is involved."""
    text = without_pictures(curated.text.strip()) or curated.title
    mark = "\n\n[1]" if text.splitlines()[-1].startswith(("|", "```")) else " [1]"
    cited = CitedSpan(
        article_id=curated.article_id,
        external_id=curated.external_id,
        title=curated.title,
        url=curated.url,
        revision=curated.revision,
        start=0,
        end=len(curated.text),
        quote=curated.text,
    )
    return Answer(text=text + mark, citations=(cited,), by="builtin", is_confirmed=True)

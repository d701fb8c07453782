"""Questions with their answers, and the articles they cite, for the tests of findings that may need improvement."""

from kb.models import Article
from kb.services import Change, create_article, publish
from supportbot.accounts.models import Customer
from supportbot.chat.answers import Answer, CitedSpan
from supportbot.chat.models import Conversation
from supportbot.chat.retrieval_trace import RetrievalTrace
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.chat.turns import claim_turn, finish_turn


def ask(question: str, answer: Answer, *, trace: RetrievalTrace | None = None) -> Conversation:
    """Store a conversation with one question and its answer."""
    talk = start_conversation(Customer.objects.create(name="Alice").pk)
    add_customer_message(talk.pk, text=question, client_id="c1")
    claim = claim_turn("test", only=talk.pk)
    assert claim is not None
    finish_turn(claim, answer, trace)
    return talk


def article(title: str, body: str) -> Article:
    made = create_article(Change(title=title, body=body), external_id=title)
    publish(made.pk)
    made.refresh_from_db()
    return made


def cited(source: Article, quote: str) -> Answer:
    assert source.live_revision is not None
    start = source.live_revision.body.index(quote)
    span = CitedSpan(source.pk, source.external_id, source.title, "", source.live_revision.number, start, 9, quote)
    return Answer(f"{quote} [1]", (span,), by="builtin")

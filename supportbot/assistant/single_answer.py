"""Answers a question outside a conversation. Nothing is stored except the record of the model call.

The console uses this to try articles, and the help pages to show an answer above search results.
"""

from django.conf import settings
from django.utils.timezone import now

from supportbot.accounts.models import Workspace
from supportbot.assistant.answer_assembly import answer_from_curated
from supportbot.assistant.answerability import with_similarity, with_sure_similarity
from supportbot.assistant.checked_stream import CheckedStream
from supportbot.assistant.checks.evidence import Author
from supportbot.assistant.prompts import ANSWER_VERSION, answer_instructions, moment_in_words, time_variable_in
from supportbot.assistant.turn_search import Found, in_parts
from supportbot.assistant.vectors_for_checks import settle
from supportbot.chat.answers import Answer
from supportbot.llm import gateway, loop_thread
from supportbot.llm.passage_sources import numbered
from supportbot.llm.types import CUT_OFF, ChatMessage, ModelRequest
from supportbot.releases.selectors import current


def answer_once(question: str, *, workspace: Workspace, language: str, retrieved: Found) -> Answer:
    """Return the answer that a chat would give to this first message, based on these search results."""
    if retrieved.retrieval.curated:
        return answer_from_curated(retrieved.retrieval.curated)
    request = with_similarity(_request(question, workspace, language, retrieved), retrieved)
    completion = loop_thread.run(gateway.complete(request))
    by: Author = "builtin" if completion.provider == "builtin" else "model"
    return _checked(completion.text, request, retrieved, by=by, is_cut_off=completion.finish_reason in CUT_OFF)


def quote_once(question: str, *, workspace: Workspace, language: str, retrieved: Found) -> Answer:
    """Return the built-in answerer's quotation for a question. No model is called, even if there is one."""
    from supportbot.builtin.answerer import quotation_for  # it is slow to load, and commands load this module

    if retrieved.retrieval.curated:
        return answer_from_curated(retrieved.retrieval.curated)
    request = with_sure_similarity(_request(question, workspace, language, retrieved), retrieved)
    return _checked(quotation_for(request), request, retrieved, by="builtin")


def _checked(text: str, request: ModelRequest, retrieved: Found, *, by: Author, is_cut_off: bool = False) -> Answer:
    streamed = CheckedStream(
        retrieved.retrieval.passages,
        request.locale,
        customer_messages=[request.question],
        site=settings.BASE_URL,
        now=time_variable_in(request.messages[0].content),
        strictness=current().document.strictness,
        by=by,
    )
    streamed.write(text)
    settle(streamed)
    if is_cut_off:
        streamed.break_off()
    streamed.finish()
    settle(streamed)
    return streamed.answer()


def _request(question: str, workspace: Workspace, language: str, retrieved: Found) -> ModelRequest:
    """Return the request that a chat would make for a first message, but without tools, because nothing may be carried
    out.
    """
    found = retrieved.retrieval
    document = current().document
    instructions = answer_instructions(
        company=workspace.name,
        passages=found.passages,
        note="",
        sees_orders=False,
        document=document,
        now=moment_in_words(now().astimezone(workspace.zone)),
    )
    request = ModelRequest(
        purpose="answer",
        messages=(ChatMessage("system", instructions), ChatMessage("user", question)),
        sources=numbered(found.passages),
        question=question,
        looked_up=retrieved.text,
        locale=language,
        is_answerable=found.is_answerable,
        hides_personal_data=workspace.hides_personal_data,
        prompt_version=ANSWER_VERSION,
    )
    return in_parts(request, retrieved)

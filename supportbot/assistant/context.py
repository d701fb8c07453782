"""The context of a turn before it calls a model: the episode so far, the found passages and the available tools."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from uuid import UUID

from django.conf import settings
from django.utils.timezone import now

from actions.selectors import states_in
from actions.states import State
from kb.access import Viewer
from kb.ports import EarlierMessage
from kb.search import Curated, Passage
from supportbot.assistant.answerability import with_similarity
from supportbot.assistant.checks.evidence import Strictness
from supportbot.assistant.outcome_messages import done_in
from supportbot.assistant.prompts import ANSWER_VERSION, answer_instructions, moment_in_words
from supportbot.assistant.tools import TurnTools, tools_for
from supportbot.assistant.turn_limits import ANSWER_TOKENS, HISTORY_MESSAGES, LEAN_PASSAGES
from supportbot.assistant.turn_search import Found, in_parts, retrieve, viewer_in, with_passages
from supportbot.builtin.intents import ASK_FOR_HELP, courtesy, courtesy_by_words, language_in, says_nothing
from supportbot.builtin.phrases import only_asks
from supportbot.chat.llm_roles import ROLES
from supportbot.chat.models import Conversation, Message, Source
from supportbot.chat.retrieval_trace import RetrievalTrace, TracedPassage
from supportbot.chat.selectors import conversation_with_people, history, history_before_episode
from supportbot.chat.turns import Claim
from supportbot.formats import in_region
from supportbot.language.detection import base_language
from supportbot.language.follow_ups import is_incomplete
from supportbot.language.normalise import normalised
from supportbot.language.sentences import marked_sources
from supportbot.llm import types as llm
from supportbot.llm.passage_sources import numbered
from supportbot.releases.document import Document, Guideline
from supportbot.releases.selectors import current


@dataclass(frozen=True, slots=True)
class TurnContext:
    """A request to a model, and the data for checking its answer."""

    request: llm.ModelRequest
    passages: tuple[Passage, ...]
    language: str
    locale: str  # the language with the conversation's region, which decides how dates and times are written
    customer_messages: tuple[str, ...]  # the customer's own messages of the episode
    now: str  # the time given to the model, as text
    done: tuple[str, ...] = ()  # our own texts about actions that the shop has carried out in this conversation
    strictness: Strictness = "balanced"
    courtesy: str = ""  # the courtesy, such as "thanks", if the whole message is one and asks nothing
    release: UUID | None = None
    guidelines: tuple[Guideline, ...] = ()
    curated: Curated | None = None  # the answer given word for word, without a model
    confidence: float = 0.0  # the confidence of the search
    viewer: Viewer = field(default_factory=Viewer)  # the viewer for whom the search was made

    @property
    def trace(self) -> RetrievalTrace | None:
        """The search and its results in the form shown to the team; None if there was no search."""
        if not self.request.looked_up:
            return None
        return RetrievalTrace(self.request.looked_up, tuple(map(_traced, self.passages)))


def build_context(claim: Claim) -> TurnContext:
    """Read the conversation, search the knowledge base and build the request."""
    conversation = conversation_with_people(claim.conversation_id)
    messages, waiting = _messages(conversation, claim)
    return context_of(conversation, messages, waiting, turn_id=claim.turn_id)


def context_of(
    conversation: Conversation,
    messages: Sequence[Message],
    waiting: Sequence[Message],
    *,
    turn_id: UUID,
    also: Sequence[Passage] = (),
) -> TurnContext:
    """Return the context of a turn that answers the `waiting` messages, which follow `messages`. In a simulated turn,
    the passages in `also` are put before those that search finds.
    """
    question = _question(messages, waiting)
    earlier = _before_episode(conversation, messages)
    language = _language(question, (*earlier, *messages), base_language(conversation.locale))
    release, is_signed_in = current(), not conversation.customer.is_anonymous
    document, viewer = release.document, viewer_in(conversation, language)
    requests = states_in(conversation.pk) if is_signed_in else frozenset[tuple[str, State]]()
    topics = (*earlier, *messages) if is_incomplete(question) else messages
    sought = _sought(question, viewer, topics, also, limit=document.passages)
    guidelines = document.guidelines_for(is_signed_in=is_signed_in, language=language)
    time = moment_in_words(now().astimezone(conversation.workspace.zone))
    instructions = _Instructions(conversation, tools_for(conversation, language, requests), document, guidelines, time)
    dialogue = (*messages, *waiting)
    request = _request_for(sought, instructions, dialogue, question=question, language=language, turn_id=turn_id)
    return TurnContext(
        with_similarity(in_parts(request, sought), sought),
        sought.retrieval.passages,
        language,
        request.locale,
        tuple(message.text for message in dialogue if message.source == Source.CUSTOMER),
        instructions.now,
        done_in(conversation) if State.SUCCEEDED in {state for _, state in requests} else (),
        document.strictness,
        _small_talk(question),
        release.id,
        instructions.guidelines,
        sought.retrieval.curated,
        sought.retrieval.confidence,
        viewer,
    )


def _before_episode(conversation: Conversation, messages: Sequence[Message]) -> list[Message]:
    """Return the messages before the episode if the customer has not yet named a topic in it. After an agent has
    returned the chat, "and how long does it take?" still refers to what was said earlier. These messages are used only
    to search and to detect the language. No model sees them, because an agent has settled their topics.
    """
    texts = (message.text for message in messages if message.source == Source.CUSTOMER)
    if not conversation.episode_start_seq or any(not (says_nothing(text) or is_incomplete(text)) for text in texts):
        return []
    before = history_before_episode(conversation, limit=HISTORY_MESSAGES)
    return [message for message in before if _is_dialogue(message)]


def _sought(
    question: str, viewer: Viewer, messages: Sequence[Message], also: Sequence[Passage], *, limit: int
) -> Found:
    sought = retrieve(question, viewer, _topics_of(messages), limit=limit)
    return with_passages(sought, also, limit=limit) if also else sought


def _request_for(
    sought: Found,
    instructions: "_Instructions",
    dialogue: Sequence[Message],
    *,
    question: str,
    language: str,
    turn_id: UUID,
) -> llm.ModelRequest:
    found, conversation = sought.retrieval, instructions.conversation
    parameters = instructions.document.parameters_for("answer")
    return llm.ModelRequest(
        purpose="answer",
        messages=(instructions.message(found.passages), *_as_chat_messages(dialogue, conversation.workspace.zone)),
        lean_instructions=instructions.message(found.passages[:LEAN_PASSAGES]).content,
        tools=instructions.tools.offered,
        tools_signed_in=instructions.tools.after_signing_in,
        sources=numbered(found.passages),
        question=question,
        looked_up=sought.text,
        locale=in_region(language, conversation.locale),
        is_answerable=found.is_answerable,
        hides_personal_data=conversation.workspace.hides_personal_data,
        prompt_version=ANSWER_VERSION,
        conversation_id=conversation.pk,
        turn_id=turn_id,
        temperature=parameters.temperature,
        max_output_tokens=parameters.max_output_tokens or ANSWER_TOKENS,
    )


def _small_talk(question: str) -> str:
    # Without a search, nothing else needs the question's vector, so the decision is based on its words alone.
    kind = courtesy(question) if settings.KB_RETRIEVAL else courtesy_by_words(question)
    return "" if kind is None or kind in ASK_FOR_HELP else kind


def _question(messages: Sequence[Message], waiting: Sequence[Message]) -> str:
    """Return the question: the latest message, or the message before it if the customer pressed the button that says it
    was only a question.
    """
    question = normalised("\n".join(message.text for message in waiting))
    before = next((one.text for one in reversed(messages) if one.source == Source.CUSTOMER), "")
    return normalised(before) if before and only_asks(question) else question


def _topics_of(messages: Sequence[Message]) -> list[EarlierMessage]:
    """Return the messages that a question may refer to, without greetings and our "I could not find this"."""
    return [
        EarlierMessage(normalised(message.text), is_customer=message.source == Source.CUSTOMER)
        for message in messages
        if not message.is_abstention and (message.by != "builtin" or marked_sources(message.text))
    ]


def _as_chat_messages(messages: Sequence[Message], zone: tzinfo) -> Iterator[llm.ChatMessage]:
    for one in messages:
        written_on = one.created_at.astimezone(zone).date()
        yield llm.ChatMessage(ROLES[Source(one.source)], normalised(one.text), written_on=written_on)


@dataclass(frozen=True, slots=True)
class _Instructions:
    conversation: Conversation
    tools: TurnTools
    document: Document
    guidelines: tuple[Guideline, ...]
    now: str

    def message(self, passages: Sequence[Passage]) -> llm.ChatMessage:
        text = answer_instructions(
            company=self.conversation.workspace.name,
            passages=passages,
            note=self.conversation.handoff_note,
            sees_orders=len(self.tools.offered) > 1,
            document=self.document,
            guidelines=self.guidelines,
            now=self.now,
        )
        return llm.ChatMessage("system", text)


def _language(question: str, messages: Sequence[Message], fallback: str) -> str:
    """Return the language of a question. If it is only an order number, an address or random keystrokes, return the
    language of the conversation so far.
    """
    texts = [message.text for message in messages if message.source == Source.CUSTOMER]
    return language_in(question, normalised("\n".join(texts)), fallback)


def _messages(conversation: Conversation, claim: Claim) -> tuple[list[Message], list[Message]]:
    """Return the earlier messages, and the customer's messages that this turn answers.

    Later messages wait for their own turn, and the retry of a stopped answer does not see that answer. Messages without
    text, such as an answer that was stopped before its first word, are left out because many servers refuse them.
    """
    messages = [message for message in history(conversation, limit=HISTORY_MESSAGES) if _is_dialogue(message)]
    known = [message for message in messages if message.seq <= claim.through_seq]
    questions = [message for message in known if message.source == Source.CUSTOMER and message.seq > claim.from_seq]
    return [message for message in known if message not in questions], questions


def _is_dialogue(message: Message) -> bool:
    return message.source in ROLES and bool(message.text)


def _traced(passage: Passage) -> TracedPassage:
    return TracedPassage(
        article=str(passage.article_id),
        title=passage.title,
        heading=passage.heading,
        revision=passage.revision,
        score=passage.score,
        similarity=passage.similarity,
    )

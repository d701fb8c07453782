"""What can go wrong in the knowledge room, one class per meaning."""

from supportbot.errors import SupportBotError


class KnowledgeError(SupportBotError):
    code = "knowledge_error"
    default_message = "The knowledge base could not do that."


class ArticleMissing(KnowledgeError):
    """No such article in this workspace, or not for this reader: both look the same on purpose."""

    code = "not_found"
    status = 404
    default_message = "There is no such article here."


class CollectionMissing(KnowledgeError):
    code = "not_found"
    status = 404
    default_message = "There is no such collection here."


class ArticleExists(KnowledgeError):
    code = "article_exists"
    status = 409
    default_message = "Another article already has this external id."


class ArticleChanged(KnowledgeError):
    """Somebody saved a newer revision since the caller read the article."""

    code = "article_changed"
    status = 409
    default_message = "Somebody saved a newer revision meanwhile. Read it, then save again on top of it."


class InvalidDocument(KnowledgeError):
    """A text that cannot be stored: `message` names the cause and the way out in one sentence."""

    code = "invalid_document"
    default_message = "This document cannot be stored."


class TooFewQuestions(KnowledgeError):
    """Nothing can be fitted, or nothing judged, on what was given."""

    code = "too_few_questions"
    default_message = "There are too few questions to learn from."


class EmbeddingUnavailable(KnowledgeError):
    code = "embedding_unavailable"
    status = 503
    default_message = "The embedding model does not answer right now."


class RecipeMismatch(KnowledgeError):
    """The index was built by another embedding recipe than the one set now; their vectors never mix."""

    code = "recipe_mismatch"
    status = 503
    default_message = "The index was built with another embedding model. Run `manage.py kb_reindex`."

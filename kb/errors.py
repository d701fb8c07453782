"""Errors of the knowledge base, one class per meaning."""

from collections.abc import Sequence

from django.utils.translation import gettext, gettext_noop

from supportbot.errors import SupportBotError


class KnowledgeError(SupportBotError):
    code = "knowledge_error"
    default_message = gettext_noop("The knowledge base cannot do that.")


class ArticleMissing(KnowledgeError):
    """The article does not exist in this workspace, or not for this reader; both deliberately look the same."""

    code = "not_found"
    status = 404
    default_message = gettext_noop("This article does not exist.")


class SynonymsMissing(KnowledgeError):
    code = "not_found"
    status = 404
    default_message = gettext_noop("These synonyms do not exist.")


class CategoryMissing(KnowledgeError):
    code = "category_missing"
    status = 404
    default_message = gettext_noop("This category does not exist. It may have been deleted.")


class CategoryInUse(KnowledgeError):
    """Articles still refer to the category, so saving one of them would create it again."""

    code = "category_in_use"
    status = 409
    default_message = gettext_noop("This category contains articles. Move them to another category first.")


class CollectionMissing(KnowledgeError):
    code = "not_found"
    status = 404
    default_message = gettext_noop("This collection does not exist.")


class ArticleExists(KnowledgeError):
    code = "article_exists"
    status = 409
    default_message = gettext_noop("Another article already has this external id.")


class ArticleChanged(KnowledgeError):
    """Someone has saved a newer revision since the caller read the article."""

    code = "article_changed"
    status = 409
    default_message = gettext_noop("Someone has saved a newer revision. Read it, then save your changes again.")


class InvalidDocument(KnowledgeError):
    """The text cannot be stored; `message` says what is wrong and what to do."""

    code = "invalid_document"
    default_message = gettext_noop("This document cannot be saved.")


class GatesRefuse(KnowledgeError):
    """A gate case would fail, and the caller asked to publish only if none would."""

    code = "gate_refused"
    status = 409
    default_message = gettext_noop("This text does not pass the gates.")

    def __init__(self, cases: Sequence[str]) -> None:
        self.cases = tuple(cases)
        named = "; ".join(self.cases[:5])
        super().__init__(gettext("Gate cases that must pass would fail: {names}.").format(names=named))


class TooFewQuestions(KnowledgeError):
    """There are too few questions to fit or check a calibration."""

    code = "too_few_questions"
    default_message = gettext_noop("There are too few questions.")


class EmbeddingUnavailable(KnowledgeError):
    code = "embedding_unavailable"
    status = 503
    default_message = gettext_noop("The embedding model is not responding.")


class IndexNotBuilt(KnowledgeError):
    """The role that runs a command may not build an index, or the owner of the tables cannot log in."""

    code = "index_not_built"
    status = 503
    default_message = gettext_noop(
        "The vector index could not be built as the owner of the tables. Set DATABASE_OWNER_URL to that role's "
        "database URL for this command."
    )


class RecipeMismatch(KnowledgeError):
    """The index was built with an embedding recipe other than the configured one; their vectors never mix."""

    code = "recipe_mismatch"
    status = 503
    default_message = gettext_noop("The index was built with a different embedding model. Run `manage.py kb_reindex`.")


class SwitchUnderWay(KnowledgeError):
    code = "switch_under_way"
    status = 409
    default_message = gettext_noop("An index for another model is being built. Cancel that first, or wait.")


class IndexBeingBuilt(KnowledgeError):
    """A worker or `kb_reindex` is rebuilding the index for all workspaces; a second one would undo its switch."""

    code = "index_being_built"
    status = 409
    default_message = gettext_noop(
        "A worker or `manage.py kb_reindex` is rebuilding the index. Try again when it is done."
    )


class IndexReplaced(KnowledgeError):
    """While `kb_reindex` was running, something else switched search to a different index."""

    code = "index_replaced"
    status = 409
    default_message = gettext_noop(
        "Search was switched to another index in the meantime, and that index stays in use. Run `manage.py "
        "kb_reindex` again."
    )


class SwitchCancelled(KnowledgeError):
    """The index that is being built is no longer wanted."""

    code = "switch_cancelled"
    status = 409
    default_message = gettext_noop("Building the new index was cancelled. The old index stays in use.")

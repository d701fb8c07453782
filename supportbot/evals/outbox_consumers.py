"""Handles announcements from lower packages, which may arrive twice."""

from collections.abc import Sequence

from supportbot.evals.articles.published_checks import note_change
from supportbot.evals.erasure import forget_customer, forget_questions, forget_unasked, forget_words
from supportbot.evals.release_gates import run_after_restore
from supportbot.outbox.models import Announcement


def on_customer_forgotten(announcement: Announcement) -> None:
    forget_customer(announcement.object_id)
    forget_questions()
    forget_words(customer_id=announcement.object_id)


def on_conversations_erased(announcements: Sequence[Announcement]) -> None:
    forget_unasked()
    forget_words(conversation_id__in=[one.object_id for one in announcements])


def on_article_changed(announcement: Announcement) -> None:
    note_change(announcement.object_id, announcement.created_at)


def on_release_restored(announcement: Announcement) -> None:
    run_after_restore(announcement.object_id)

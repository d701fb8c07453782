"""Handles announcements from lower packages, which may arrive twice."""

from supportbot.evals.articles.checks import note_change
from supportbot.evals.articles.drafts import forget_questions
from supportbot.evals.services import forget_customer
from supportbot.outbox.models import Announcement


def on_customer_forgotten(announcement: Announcement) -> None:
    forget_customer(announcement.object_id)
    forget_questions()


def on_article_changed(announcement: Announcement) -> None:
    note_change(announcement.object_id, announcement.created_at)

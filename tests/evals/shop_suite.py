"""A suite of three cases about the article on returns, and a function that changes this article."""

from kb.indexing.sync import sync_articles
from kb.models import Article
from kb.services import Change, publish, save_draft
from supportbot.evals import services
from supportbot.evals.models import Suite
from supportbot.evals.suite_formats.files import read_suite

SUITE = """
suite: shop
title: The shop
cases:
  - id: window
    must: true
    ask: How many days do I have to return unused items?
    expect: {figures: 60 days, source: returns, support: 0.7}
  - id: refund
    ask: When is my refund paid?
    expect: {figures: 5 days, source: returns, language: en}
  - id: unknown
    ask: Which moon of Jupiter is the largest?
    expect: {abstains: true}
"""


def suite() -> Suite:
    return services.save_suite(read_suite(SUITE.encode(), file="shop.yaml"))


def change(article: Article, old: str, new: str) -> None:
    revision = article.revisions.order_by("-number").first()
    assert revision is not None
    save_draft(article.pk, Change(title=article.title, body=revision.body.replace(old, new), locale="en"))
    publish(article.pk)
    sync_articles([article.pk])

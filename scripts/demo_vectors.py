#!/usr/bin/env python3
"""Write the vectors that the first publication in the demo would wait for: those of the questions in its gates' cases,
and those of the titles and pieces of the articles with which these questions are compared.

    python scripts/demo_vectors.py

Needs a running instance with the demo workspace as it was seeded. Replaces `examples/knowledge/compared.e5`.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "supportbot.settings")
django.setup()

from kb.embedders.packaged import RECIPE  # noqa: E402
from kb.indexing.vector_cache import passage_vectors, question_vectors, recent  # noqa: E402
from kb.indexing.vector_file import VectorFile  # noqa: E402
from kb.models import Article  # noqa: E402
from supportbot.accounts.models import Workspace  # noqa: E402
from supportbot.accounts.scope import workspace_scope  # noqa: E402
from supportbot.demo.workspace import COMPARED, SLUG  # noqa: E402
from supportbot.evals.articles.answer_preview import AS_IT_IS, quoted_if  # noqa: E402
from supportbot.evals.articles.article_gates import asked_by, quotation_cases  # noqa: E402


def main() -> None:
    workspace = Workspace.objects.get(slug=SLUG)
    with workspace_scope(workspace.pk):
        cases = [case for _, case in quotation_cases()]
        question_vectors(case.asks for case in cases)
        passage_vectors(article.title for article in Article.objects.select_related("live_revision", "latest_revision"))
        quoted_if(AS_IT_IS, [asked_by(case, workspace) for case in cases], workspace=workspace)
    COMPARED.unlink(missing_ok=True)
    VectorFile(COMPARED, RECIPE).add(sorted(recent().items()))
    sys.stdout.write(f"{COMPARED.name}: {len(recent())} vectors\n")


if __name__ == "__main__":
    main()

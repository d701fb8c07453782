"""`manage.py kb_calibrate`: fit the confidence of searches on workspaces with known questions."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext, gettext_noop

from kb.evaluation.calibration import Corpus, ForeignQuestions, fit_and_check, read_texts, sample
from kb.indexing.recipes import active_recipe, embedder_of
from kb.terminal_progress import ProgressLine
from supportbot.accounts.commands import ProductCommand, workspace_named
from supportbot.commands import a_path


class Command(ProductCommand):
    help = gettext_noop(
        "Fit the confidence of searches. A workspace's questions count as answerable in that workspace and as "
        "unanswerable in the others; questions from --foreign are always unanswerable. The report covers held-out data "
        "(half of the questions, and each corpus in turn); the final calibration is fitted on all questions."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--corpus",
            action="append",
            required=True,
            metavar="SLUG=ANSWERABLE.jsonl[,UNANSWERABLE.jsonl]",
            help=gettext("a workspace and its questions, which count as unanswerable in the other workspaces"),
        )
        parser.add_argument(
            "--foreign",
            action="append",
            default=[],
            metavar="FILE.jsonl[=SLUG,...]",
            help=gettext(
                "questions on a different subject; not used with the corpora SLUG, whose articles answer some of them"
            ),
        )
        parser.add_argument(
            "--check",
            action="append",
            default=[],
            metavar="SLUG=ANSWERABLE.jsonl,UNANSWERABLE.jsonl",
            help=gettext("a workspace to evaluate on, but not to fit on"),
        )
        parser.add_argument("--out", type=a_path, help=gettext("also write the calibration to this file"))
        parser.add_argument(
            "--store", action="store_true", help=gettext("use the calibration for the active recipe from now on")
        )

    def facts(self, options: dict[str, Any]) -> dict[str, Any]:
        corpora = [_corpus(text, "--corpus") for text in options["corpus"]]
        foreign = [_foreign(text) for text in options["foreign"]]
        checked = [_corpus(text, "--check") for text in options["check"]]
        embedder_of(active_recipe())  # fails now if it is missing: otherwise, everything would be fitted on words only
        _check_names(corpora, checked, foreign)
        _check_writable(options["out"])
        with ProgressLine(self.stderr, gettext("searching")) as progress:
            calibration, report = fit_and_check(corpora, foreign, checked, progress=progress)
        if options["out"]:
            options["out"].write_text(json.dumps(calibration, indent=1) + "\n", encoding="utf-8")
        if options["store"]:
            recipe = active_recipe()
            recipe.calibration = calibration
            recipe.save(update_fields=["calibration"])
        return {"calibration": calibration, "report": report}

    def words(self, facts: dict[str, Any]) -> str:
        lines = [
            gettext("{corpus}: answered {answered}, refused {refused}, AUC {auc}").format(
                corpus=name, **{figure: f"{row[figure]:.3f}" for figure in ("answered", "refused", "auc")}
            )
            for name, row in facts["report"].items()
        ]
        return "\n".join([*lines, json.dumps(facts["calibration"], indent=1)])


def _check_names(corpora: Sequence[Corpus], checked: Sequence[Corpus], foreign: Sequence[ForeignQuestions]) -> None:
    slugs = [corpus.slug for corpus in corpora]
    twice = [slug for slug, times in Counter(slugs).items() if times > 1]
    if twice:
        raise CommandError(
            gettext("--corpus lists {twice} twice. Put its questions in one file.").format(twice=twice[0])
        )
    known = {*slugs, *(corpus.slug for corpus in checked)}
    strangers = sorted({slug for group in foreign for slug in group.spared} - known)
    if strangers:
        raise CommandError(
            gettext("--foreign excludes {strangers}, which is not among the corpora {known}.").format(
                strangers=strangers[0], known=", ".join(sorted(known))
            )
        )


def _check_writable(out: Path | None) -> None:
    """Fail before the long computation if its result could not be written."""
    if out and (out.is_dir() or not os.access(out if out.exists() else out.parent, os.W_OK)):
        raise CommandError(
            gettext("--out {out} cannot be written. Choose a file in an existing, writable folder.").format(out=out)
        )


def _foreign(text: str) -> ForeignQuestions:
    name, _, spared = text.partition("=")
    return ForeignQuestions(sample(read_texts(Path(name))), frozenset(filter(None, spared.split(","))))


def _corpus(text: str, option: str) -> Corpus:
    slug, _, files = text.partition("=")
    if not files:
        raise CommandError(
            gettext("{option} {text} is not valid. Use SLUG=FILE.jsonl, with the slug of a workspace.").format(
                option=option, text=text
            )
        )
    paths = [Path(name) for name in files.split(",")]
    workspace = workspace_named(slug, option=option)
    return Corpus(slug, workspace.pk, read_texts(paths[0]), [row for path in paths[1:] for row in read_texts(path)])

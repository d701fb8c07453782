"""`manage.py kb_calibrate`: fit how sure a search may be, on workspaces whose questions are known to have an answer."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from kb.evaluation.calibration import Corpus, Foreign, fit_and_check, read_texts, sampled
from kb.indexing.recipes import active_recipe, embedder_of
from kb.progress import ProgressLine
from supportbot.accounts.commands import ProductCommand, workspace_named


class Command(ProductCommand):
    help = (
        "Fit the confidence of searches. Every workspace's questions count as answerable there and as unanswerable in "
        "the others; files of --foreign count as unanswerable too. Reported is what fits on half of the questions, "
        "and on all corpora but one, make of the rest; the calibration itself is fitted on everything."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--corpus",
            action="append",
            required=True,
            metavar="SLUG=ANSWERABLE.jsonl[,UNANSWERABLE.jsonl]",
            help="a workspace and its questions; what is asked of another has no answer here",
        )
        parser.add_argument(
            "--foreign",
            action="append",
            default=[],
            metavar="FILE.jsonl[=SLUG,...]",
            help="questions of another field; not put to the corpora named, which answer some of them",
        )
        parser.add_argument(
            "--check",
            action="append",
            default=[],
            metavar="SLUG=ANSWERABLE.jsonl,UNANSWERABLE.jsonl",
            help="a workspace that is judged but not fitted on",
        )
        parser.add_argument("--out", type=Path, help="write the calibration here (else it is only printed)")
        parser.add_argument("--store", action="store_true", help="use it from now on for the active recipe")

    def facts(self, options: dict[str, Any]) -> dict[str, Any]:
        corpora = [_corpus(text, "--corpus") for text in options["corpus"]]
        foreign = [_foreign(text) for text in options["foreign"]]
        checked = [_corpus(text, "--check") for text in options["check"]]
        embedder_of(active_recipe())  # else all would be fitted on what words alone find
        _check_names(corpora, checked, foreign)
        _check_writable(options["out"])
        with ProgressLine(self.stderr, "asking") as progress:
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
            f"{name}: answered {row['answered']:.3f}, refused {row['refused']:.3f}, AUC {row['auc']:.3f}"
            for name, row in facts["report"].items()
        ]
        return "\n".join([*lines, json.dumps(facts["calibration"], indent=1)])


def _check_names(corpora: Sequence[Corpus], checked: Sequence[Corpus], foreign: Sequence[Foreign]) -> None:
    slugs = [corpus.slug for corpus in corpora]
    twice = [slug for slug, times in Counter(slugs).items() if times > 1]
    if twice:
        raise CommandError(f"--corpus names {twice[0]} twice. Put its questions into one file.")
    known = {*slugs, *(corpus.slug for corpus in checked)}
    strangers = sorted({slug for group in foreign for slug in group.spared} - known)
    if strangers:
        raise CommandError(f"--foreign spares {strangers[0]}, which no --corpus names: {', '.join(sorted(known))}.")


def _check_writable(out: Path | None) -> None:
    """Refuse before the long work what could not be written after it."""
    if out and (out.is_dir() or not os.access(out if out.exists() else out.parent, os.W_OK)):
        raise CommandError(f"--out {out} cannot be written. Name a file in a folder that is there.")


def _foreign(text: str) -> Foreign:
    name, _, spared = text.partition("=")
    return Foreign(sampled(read_texts(Path(name))), frozenset(filter(None, spared.split(","))))


def _corpus(text: str, option: str) -> Corpus:
    slug, _, files = text.partition("=")
    if not files:
        raise CommandError(f"{option} {text}: write SLUG=FILE.jsonl, with the slug of a workspace.")
    paths = [Path(name) for name in files.split(",")]
    workspace = workspace_named(slug, option=option)
    return Corpus(slug, workspace.pk, read_texts(paths[0]), [row for path in paths[1:] for row in read_texts(path)])

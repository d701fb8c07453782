"""`manage.py kb_calibrate`: fit how sure a search may be, on workspaces whose questions are known to have an answer."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from kb.calibrating import Corpus, Foreign, fit_and_check, read_texts, sampled
from kb.recipes import active_recipe
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
            help="a workspace and its questions; at least two are needed",
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
        corpora = [_corpus(text) for text in options["corpus"]]
        if len(corpora) < 2:
            raise CommandError("Name at least two corpora: the questions of one are the unanswerable ones of another.")
        foreign = [_foreign(text) for text in options["foreign"]]
        calibration, report = fit_and_check(corpora, foreign, [_corpus(text) for text in options["check"]])
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


def _foreign(text: str) -> Foreign:
    name, _, spared = text.partition("=")
    return Foreign(sampled(read_texts(Path(name))), frozenset(spared.split(",")))


def _corpus(text: str) -> Corpus:
    slug, _, files = text.partition("=")
    if not files:
        raise CommandError(f"--corpus {text}: write SLUG=FILE.jsonl.")
    paths = [Path(name) for name in files.split(",")]
    workspace = workspace_named(slug)
    return Corpus(slug, workspace.pk, read_texts(paths[0]), [row for path in paths[1:] for row in read_texts(path)])

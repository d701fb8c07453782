"""Errors of suites and runs."""

from django.utils.translation import gettext_noop

from supportbot.errors import SupportBotError


class EvaluationError(SupportBotError):
    code = "evaluation"
    status = 400
    default_message = gettext_noop("The evaluation could not be carried out.")


class InvalidSuite(EvaluationError):
    """A suite is invalid; the message names the file, the case and the key."""

    code = "invalid_suite"
    default_message = gettext_noop("This suite is not valid.")


class SuiteMissing(EvaluationError):
    code = "suite_missing"
    status = 404
    default_message = gettext_noop("This suite does not exist.")


class NoRunToCompare(EvaluationError):
    code = "no_run_to_compare"
    status = 409
    default_message = gettext_noop("The suite has no finished run to compare with.")


class RunEnded(EvaluationError):
    code = "run_ended"
    status = 409
    default_message = gettext_noop("This run has already ended.")


class RunInterrupted(EvaluationError):
    """A run is waiting and keeps its results so far; the message gives the reason."""

    code = "run_interrupted"
    status = 503
    default_message = gettext_noop("The run was interrupted. Its results are kept.")


class ReleaseChangedMeanwhile(EvaluationError):
    """The draft changed during its run, and one run cannot cover two versions."""

    code = "release_changed"
    status = 409
    default_message = gettext_noop("The draft was changed while it was being evaluated. Evaluate it again.")


class ProductChangedMeanwhile(EvaluationError):
    """The product was updated during a run, and one run cannot cover two builds."""

    code = "product_changed"
    status = 409
    default_message = gettext_noop("The product was updated during the run. Start a new one.")


class LabelInvalid(EvaluationError):
    code = "label_invalid"
    default_message = gettext_noop("Choose pass, fail or unsure.")


class LabelRefused(EvaluationError):
    """A result no longer waits for this person's label."""

    code = "label_refused"
    status = 409
    default_message = gettext_noop(
        "Not saved: someone else has labelled this result, or you may have seen the judge’s verdict."
    )


class ReplayInvalid(EvaluationError):
    """A replay has an invalid number of days or questions, or compares the live release with itself."""

    code = "replay_invalid"
    default_message = gettext_noop("Choose 1 to 60 days, 1 to 1,000 questions, and a release that is not live.")


class MerchantMissing(Exception):
    """A case needs a simulated merchant, and this process has none. The run waits; nobody sees this error."""

    code = "no_merchant"

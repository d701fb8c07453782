from django.utils.translation import gettext_noop

from supportbot.errors import NotFound, SupportBotError


class ReleaseError(SupportBotError):
    """The base of this package's errors."""


class NoSuchRelease(NotFound):
    default_message = gettext_noop("This release does not exist.")


class ReleaseChanged(ReleaseError):
    code = "release_changed"
    status = 409
    default_message = gettext_noop("Someone has changed this draft in the meantime. Review it, then save your changes.")


class AnotherWentLive(ReleaseError):
    code = "another_went_live"
    status = 409
    default_message = gettext_noop(
        "Another release has gone live in the meantime. Review the differences, then publish yours."
    )


class NotADraft(ReleaseError):
    code = "not_a_draft"
    status = 409
    default_message = gettext_noop("A release that has been live cannot be changed. Create a draft from it.")


class NothingChanged(ReleaseError):
    """A draft is identical to the live release, so publishing it would not change any answer."""

    code = "nothing_changed"
    status = 409
    default_message = gettext_noop("Nothing has changed: this draft is identical to the live release. Edit it first.")


class NothingToRestore(ReleaseError):
    code = "nothing_to_restore"
    status = 409
    default_message = gettext_noop("Only a release that was live before can be restored.")


class NotProven(ReleaseError):
    code = "not_proven"
    status = 409
    default_message = gettext_noop(
        "This release has not passed the gates that are in force now. Create a draft from it and evaluate it, or give "
        "a reason to restore it anyway."
    )


class NotEvaluated(ReleaseError):
    code = "not_evaluated"
    status = 409
    default_message = gettext_noop(
        "The gates have not evaluated the current state of this draft. Evaluate it, then publish it."
    )


class VerdictOutdated(ReleaseError):
    code = "verdict_outdated"
    status = 409
    default_message = gettext_noop(
        "Something that this draft depends on has changed since it passed. Evaluate it again, then publish it."
    )


class GateRefused(ReleaseError):
    code = "gate_refused"
    status = 409
    default_message = gettext_noop("This release does not pass the gates.")


class GateMissing(ReleaseError):
    """A suite that is used as a gate no longer exists. Also raised by the gates of articles and action rules."""

    code = "gate_missing"
    status = 409
    default_message = gettext_noop("A gate suite does not exist. Choose the gates again, then evaluate.")


class NoGates(ReleaseError):
    code = "no_gates"
    status = 409
    default_message = gettext_noop("This installation cannot run suites, so it cannot use gates.")

"""Publishing a version of a defined action, what prevents it, and switching the action off. Nothing is offered before a
version is published, and actions that write are published by a second person. The audit trail records every step.
"""

from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_noop

from actions import audit
from actions.audit import actor_of
from actions.connections.models import Connection, Environment
from actions.definitions.cases import failures_of
from actions.definitions.disabling import disable_definition
from actions.definitions.errors import (
    CasesFailed,
    InvalidDefinition,
    NeedsCases,
    NeedsReason,
    NeedsSecondPerson,
    NoSuchDefinition,
    NotPublisher,
)
from actions.definitions.models import ActionDefinition, ActionDefinitionVersion, DefinitionCase
from actions.definitions.parsed_parts import Definition, Kind, OutcomeKind
from actions.definitions.parsing.document import missing, parse_document
from actions.definitions.published import action_from
from actions.definitions.selectors import definition_named, found_by_import, tool_read_since, version_of
from actions.definitions.suggested_texts import only_adds_texts
from actions.models import ActionPolicy, ActionRequest
from actions.policy_store import ensure_policy
from actions.reasons import Reason, one_line
from actions.registry import code_actions
from actions.requests.transitions import expire
from actions.states import WAITING
from supportbot.accounts.models import Membership, User
from supportbot.accounts.scope import current_workspace_id

_TOOL_CHANGED: Final = gettext_noop(
    "The tool {tool} has changed since it was reviewed for this version. Import the server's tools again, and complete "
    "the new draft."
)
# Names that can be read without the customer's records, which are not available when an outcome is looked up.
_WITHOUT_RECORDS: Final = frozenset({"arguments", "money", "key", "now", "today", "status", "body", "headers"})
_NOT_ASKED = ("server", "identity")  # origins of arguments that callers do not pass


def publish(name: str, *, number: int, person: User, reason: str = "", is_dry_run: bool = False) -> ActionDefinition:
    """Publish a version. If its action has no rules yet, it gets the default limits and, with `is_dry_run`, carries
    nothing out.

    Actions that write need a second person: not the version's author (`author_of`). The only admin of a workspace gives
    a reason instead. Waiting requests of another version expire immediately. Raises InvalidDefinition for a document
    that lacks parts, NeedsCases, CasesFailed, NotPublisher, NeedsSecondPerson or NeedsReason.
    """
    definition = definition_named(name)
    version = version_of(definition, number)
    parsed = _ready(version)
    given = _permission(parsed, version, person, reason)
    if needs_cases(version):
        raise NeedsCases()
    failures = failures_of(definition, action_from(parsed, version.number))
    if failures:
        raise CasesFailed(fields=failures)
    actor = actor_of(person)
    with transaction.atomic():
        locked = ActionDefinition.objects.select_for_update(no_key=True).filter(pk=definition.pk).first()
        if locked is None:  # deleted meanwhile
            raise NoSuchDefinition()
        ActionDefinitionVersion.objects.filter(pk=version.pk, published_at=None).update(
            published_at=now(), published_by=actor
        )
        locked.state, locked.current = ActionDefinition.State.PUBLISHED, version
        locked.save(update_fields=["state", "current"])
        ensure_policy(action_from(parsed, version.number), actor=actor, is_dry_run=is_dry_run)
        audit.record("definition.published", actor=actor, action=name, version=number, reason=given)
    _expire_other_versions(name, number)
    return locked


def obstacles(version: ActionDefinitionVersion) -> dict[str, list[str]]:
    """Return the problems that prevent publishing, by JSON path, apart from missing parts and recorded cases."""
    if missing(version.document):
        return {}
    try:
        _ready(version)
    except InvalidDefinition as error:
        return {str(path): list(texts) for path, texts in error.fields.items()}
    return {}


def needs_cases(version: ActionDefinitionVersion) -> bool:
    """Return whether this version changes something, so that a case must be recorded before it is published."""
    return _writes(version) and not DefinitionCase.objects.filter(definition_id=version.definition_id).exists()


def begins(version: ActionDefinitionVersion) -> bool:
    """Return whether this version changes something and its action has no rules yet: it may begin as a dry run."""
    return _writes(version) and not ActionPolicy.objects.filter(action=version.definition.name).exists()


def _writes(version: ActionDefinitionVersion) -> bool:
    return str(version.document.get("kind", Kind.WRITE)) != Kind.READ


def needs_second_person(version: ActionDefinitionVersion, person: User) -> bool:
    """Return whether another admin has to publish this version."""
    return _writes(version) and author_of(version) == actor_of(person) and bool(publishers() - {person.pk})


def needs_reason(version: ActionDefinitionVersion, person: User) -> bool:
    """Return whether this person may publish their own version with a reason because they are the only admin."""
    return _writes(version) and author_of(version) == actor_of(person) and not publishers() - {person.pk}


def author_of(version: ActionDefinitionVersion) -> str:
    """Return the author of a version, normally the person who saved it. A person who only accepted texts suggested by
    the imported file has reviewed the draft, not written it; in that case, the previous version counts, unless it was
    published.
    """
    suggestions = found_by_import(version.definition).get("suggestions")
    every = ActionDefinitionVersion.objects.filter(definition_id=version.definition_id, published_at=None)
    while suggestions and version.number > 1:
        before = every.filter(number=version.number - 1).first()
        if before is None:
            break
        if not only_adds_texts(before.in_entered_order(), version.in_entered_order(), suggestions):
            break
        version = before
    return version.created_by


def _ready(version: ActionDefinitionVersion) -> Definition:
    """Return the complete definition; raises InvalidDefinition if it cannot run."""
    parsed = parse_document(version.document)
    problems = unsupported(parsed)
    if not Connection.objects.filter(name=parsed.connection, environment=Environment.LIVE).exists():
        problems["connection"] = [gettext("There is no live connection named {name}.").format(name=parsed.connection)]
    if wrong := _undo_problem(parsed):
        problems["undo"] = [wrong]
    if tool := tool_read_since(version.document):
        problems["call.tool"] = [gettext(_TOOL_CHANGED).format(tool=tool)]
    if problems:
        raise InvalidDefinition(fields=problems)
    return parsed


def unsupported(definition: Definition) -> dict[str, list[str]]:
    """Return parts that the format allows but the engine cannot carry out, by JSON path."""
    problems: dict[str, list[str]] = {}
    is_tool = definition.call is not None and bool(definition.call.tool)
    if is_tool and definition.outcome is not None and definition.outcome.kind is OutcomeKind.REPLAY_SAFE:
        problems["outcome.kind"] = [gettext("An MCP server's tools are never called twice. Choose at_most_once.")]
    approval = definition.approval
    if approval is not None and approval.role and approval.role not in Membership.Role.values:
        problems["approval.role"] = [gettext("Choose one of: {names}.").format(names=", ".join(Membership.Role.values))]
    outcome = definition.outcome
    if outcome is not None and outcome.kind is not OutcomeKind.AT_MOST_ONCE:
        for path, roots in _read_later(definition):
            if roots - _WITHOUT_RECORDS:
                names = ", ".join(sorted(roots - _WITHOUT_RECORDS))
                problems[path] = [
                    gettext(
                        "This is evaluated when records are not available, so it cannot use {names}. Use an argument "
                        'instead: an argument with "from": "server" keeps a value of a record.'
                    ).format(names=names)
                ]
    return problems


def _read_later(definition: Definition) -> list[tuple[str, frozenset[str]]]:
    """Return the parts that are read when an outcome is looked up or a call is repeated, with the names they read."""
    outcome, answer = definition.outcome, definition.answer
    parts: list[tuple[str, Any]] = []
    if outcome is not None:
        parts += [
            ("outcome.call", outcome.call), ("outcome.happened", outcome.happened),
            ("outcome.did_not", outcome.did_not), ("outcome.never_seen", outcome.never_seen),
            ("outcome.in_progress", outcome.in_progress),
        ]  # fmt: skip
    if answer is not None and outcome is not None and outcome.kind is OutcomeKind.REPLAY_SAFE:
        parts += [("answer.happened", answer.happened), ("answer.did_not", answer.did_not)]
    return [(path, frozenset(read[0] for read in part.paths())) for path, part in parts if part is not None]


def _permission(parsed: Definition, version: ActionDefinitionVersion, person: User, reason: str) -> str:
    """Return the reason that the audit trail will record; raises NotPublisher, NeedsSecondPerson or NeedsReason."""
    admins = publishers()
    if person.pk not in admins:
        raise NotPublisher()
    given = one_line("reason", reason)
    if parsed.kind is Kind.READ or author_of(version) != actor_of(person):
        return given
    if admins - {person.pk}:
        raise NeedsSecondPerson()
    if not given:
        raise NeedsReason(fields={"reason": [gettext("This is required.")]})
    return given


def publishers() -> set[UUID]:
    """Return the primary keys of the people who may publish in this workspace."""
    members = Membership.objects.filter(
        workspace_id=current_workspace_id(), role=Membership.Role.ADMIN, user__is_active=True
    )
    return set(members.values_list("user_id", flat=True))


def _expire_other_versions(name: str, number: int) -> None:
    """Expire the requests of other versions immediately, since nobody could confirm or approve them now."""
    stale = ActionRequest.objects.filter(action=name, state__in=WAITING).exclude(spec_version=number)
    for request_id in stale.order_by("id").values_list("id", flat=True):
        expire(request_id, Reason("policy_changed"))


def switch_off(name: str, *, person: User) -> ActionDefinition:
    """Stop offering a defined action; this also stops everything not yet sent. Raises NotPublisher or
    NoSuchDefinition.
    """
    if person.pk not in publishers():
        raise NotPublisher()
    return disable_definition(definition_named(name), actor=actor_of(person))


def _undo_problem(definition: Definition) -> str:
    """Return the problem with `undo`, or "": the action must exist and take these arguments. It may be a draft, since
    two actions may undo each other.
    """
    undo = definition.undo
    if undo is None:
        return ""
    taken = _arguments_of(undo.action)
    if taken is None:
        return gettext("There is no action named {name}. Save it first; a draft is enough.").format(name=undo.action)
    given = set(definition.arguments) & set(taken) if undo.arguments is None else set(undo.arguments)
    unknown, lacking = given - set(taken), {name for name, is_required in taken.items() if is_required} - given
    if unknown:
        return gettext("{action} has no argument {names}.").format(action=undo.action, names=", ".join(sorted(unknown)))
    if lacking:
        return gettext("{action} needs {names}. Say where each comes from.").format(
            action=undo.action, names=", ".join(sorted(lacking))
        )
    return ""


def _arguments_of(name: str) -> dict[str, bool] | None:
    """Return an action's arguments, each with whether it is required; None if there is no such action."""
    known = code_actions().get(name)
    if known is not None:
        return dict.fromkeys(known.arguments.optional, False) | dict.fromkeys(known.arguments.required, True)
    definition = ActionDefinition.objects.filter(name=name).first()
    version = definition.versions.order_by("-number").first() if definition else None
    if version is None:
        return None
    declared = version.document.get("arguments", {})
    open_arguments = {key: one for key, one in declared.items() if one.get("from") not in _NOT_ASKED}
    return {key: bool(one.get("required", True)) for key, one in open_arguments.items()}

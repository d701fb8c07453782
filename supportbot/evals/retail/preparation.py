"""Prepares a workspace for the benchmark's shop: a connection, the operations as definitions, and the shop's policy.

Parts that already exist are reused, so preparing again changes nothing. The connection's address does not exist:
evaluations use the shop in memory instead, and any other call fails.
"""

import json
from pathlib import Path
from typing import Any, Final

from actions.connections import services as connections
from actions.connections.models import Connection
from actions.definitions import publishing
from actions.definitions import services as definitions
from actions.definitions.case_file import keep_cases
from actions.definitions.models import ActionDefinition, ActionDefinitionVersion
from actions.policy_store import policy_of, rules_of
from supportbot.accounts.models import User
from supportbot.accounts.principals import Staff
from supportbot.releases import services as releases
from supportbot.releases.selectors import live_release

DEFINITIONS: Final = Path(__file__).parent / "definitions"
CONNECTION: Final = "retail"
ADDRESS: Final = "https://retail.invalid"
ACTOR: Final = "operator:retail_benchmark"
_CASES: Final = json.dumps([{"name": "nothing said", "sub": "nobody", "expected": "invalid_arguments"}])


def documents() -> list[dict[str, Any]]:
    """Return the shop's sixteen operations as definitions."""
    return [json.loads(file.read_text(encoding="utf-8")) for file in sorted(DEFINITIONS.glob("*.json"))]


def is_prepared() -> bool:
    """Return whether the workspace offers every operation in its current version."""
    return all(_in_force(document) for document in documents())


def offer_operations(person: User) -> None:
    """Publish every operation on behalf of an admin. Raises the same errors as publishing, such as NotPublisher."""
    if not Connection.objects.filter(name=CONNECTION).exists():
        connections.create(connections.Draft(CONNECTION, ADDRESS, auth="none"), actor=ACTOR)
    for document in documents():
        if _in_force(document):
            continue
        version = definitions.save_draft(document, actor=ACTOR, origin=ActionDefinition.Origin.FILE)
        if publishing.needs_cases(version):
            keep_cases(version.definition, _CASES, actor=ACTOR)
        publishing.publish(document["name"], number=version.number, person=person)


def _in_force(document: dict[str, Any]) -> bool:
    published = ActionDefinitionVersion.objects.filter(
        definition__name=document["name"], definition__state=ActionDefinition.State.PUBLISHED, document=document
    )
    return published.exists() and rules_of(policy_of(document["name"])).is_enabled


def follow_policy(text: str, person: Staff) -> None:
    """Make the shop's policy the instructions of the live release. Raises the same errors as
    `releases.services.publish`.
    """
    live = live_release()
    if live.contents.instructions == text.strip():
        return
    draft = releases.create_draft(person=person, document={"instructions": text.strip()})
    releases.publish(draft.pk, person=person, instead_of=live.number, reason="The policy of the retail tasks.")

"""Disabling a defined action. Separate from the services, because a call also disables an action if its tool has
changed.
"""

from django.db import transaction

from actions import audit
from actions.definitions.models import ActionDefinition


@transaction.atomic
def disable_definition(definition: ActionDefinition, *, actor: str, why: str = "") -> ActionDefinition:
    """Stop offering a defined action; does nothing if it is not published."""
    locked: ActionDefinition = ActionDefinition.objects.select_for_update(no_key=True).get(pk=definition.pk)
    if locked.state == ActionDefinition.State.PUBLISHED:
        locked.state = ActionDefinition.State.DISABLED
        locked.save(update_fields=["state"])
        audit.record("definition.switched_off", actor=actor, action=locked.name, why=why)
    return locked

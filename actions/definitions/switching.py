"""Taking a defined action out of force. Apart from the services: a call that finds its tool changed does it too."""

from django.db import transaction

from actions import audit
from actions.definitions.models import ActionDefinition


@transaction.atomic
def take_out_of_force(definition: ActionDefinition, *, actor: str, why: str = "") -> ActionDefinition:
    """Stop offering a defined action, whoever or whatever asks for it; one that is not published stays as it is."""
    locked: ActionDefinition = ActionDefinition.objects.select_for_update(no_key=True).get(pk=definition.pk)
    if locked.state == ActionDefinition.State.PUBLISHED:
        locked.state = ActionDefinition.State.DISABLED
        locked.save(update_fields=["state"])
        audit.record("definition.switched_off", actor=actor, action=locked.name, why=why)
    return locked

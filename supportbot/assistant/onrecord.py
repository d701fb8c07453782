"""What a model asked for and did not get is put on record, as a refused wish of a customer is."""

from actions.audit import record_refusal as note_refusal
from supportbot.assistant.calls import Place
from supportbot.assistant.errors import ToolRefused
from supportbot.chat.models import Conversation


def put_on_record(refusal: ToolRefused, place: Place, *, tool: str = "") -> None:
    """Add an audit entry for a call that was refused before it reached an action, with the reason's code."""
    conversation = Conversation.objects.only("customer_id").get(pk=place.claim.conversation_id)
    note_refusal(
        "tool.refused",
        refusal,
        actor=f"customer:{conversation.customer_id}",
        tool="".join(char for char in tool[:60] if char.isprintable()),
        conversation=str(conversation.pk),
    )

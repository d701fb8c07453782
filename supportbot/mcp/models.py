"""The MCP server's table: links to pages where customers confirm what an external agent proposes.

Invariant: a link opens one page. A conditional UPDATE uses up its code, so it never works twice.
"""

from django.db import models
from django.utils.timezone import now

from supportbot.accounts.constraints import SameWorkspace
from supportbot.accounts.models import Channel, Customer, TenantModel


class ConfirmationLink(TenantModel):
    """Lets a customer see one request on our page, and confirm or decline it. Only hashes of its secrets are stored."""

    code_hash = models.CharField(max_length=64, unique=True, editable=False)
    # the pass of the page that opened the link
    pass_hash = models.CharField(max_length=64, unique=True, null=True, editable=False)
    # a plain id, not a foreign key, because a request's record is kept after its customer is erased
    request_id = models.UUIDField()
    key_id = models.UUIDField(null=True, editable=False)  # the agent's key; its links become invalid with it
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    identity_expires_at = models.DateTimeField()
    created_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField()  # when the code expires
    opened_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            SameWorkspace("channel", name="confirmation_link_channel_workspace"),
            SameWorkspace("customer", name="confirmation_link_customer_workspace"),
        ]
        indexes = [models.Index(fields=["expires_at"], name="confirmation_link_expiry")]

    def __str__(self) -> str:
        return f"Link to {self.request_id}"

"""Exports everything stored about a customer, in all packages, as one JSON object.

An export contains every row that erasing the customer would delete, so new tables are included automatically. It also
contains rows that are kept after an erasure and refer to the customer by plain id.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final

from django.contrib.admin.utils import NestedObjects
from django.core.serializers.json import DjangoJSONEncoder
from django.core.serializers.python import Serializer
from django.db import models, transaction
from django.db.models import Q

from actions import audit
from actions.models import ActionRequest, Attempt, AuditEntry, LedgerEntry
from supportbot.accounts.models import Customer
from supportbot.chat.models import Conversation
from supportbot.llm.models import LLMBody, LLMCall

# Hashes of credentials are left out, because an export must not contain keys.
_SECRET: Final = "_hash"
Encoder = DjangoJSONEncoder


@transaction.atomic
def export_for(customer: Customer, *, actor: str) -> dict[str, list[dict[str, Any]]]:
    """Return everything stored about a customer, as in `export_of`, and record who received it."""
    held = export_of(customer)
    audit.record("customer.exported", actor=actor, customer=str(customer.pk), rows=sum(map(len, held.values())))
    return held


def export_of(customer: Customer) -> dict[str, list[dict[str, Any]]]:
    """Return a customer's rows by table, oldest first, leaving out hashes of secrets."""
    tables: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in (*_erasable_rows(customer), *_lasting_rows(customer)):
        tables[row._meta.label_lower].append(_shown(row))
    return {name: sorted(rows, key=lambda row: str(row["id"])) for name, rows in sorted(tables.items())}


def _erasable_rows(customer: Customer) -> Iterator[models.Model]:
    collector = NestedObjects(using="default", origin=[customer])
    collector.collect([customer])
    for rows in collector.data.values():
        yield from rows


def _lasting_rows(customer: Customer) -> Iterator[models.Model]:
    """Yield the financial records and model costs that refer to the customer or one of their conversations."""
    requests = ActionRequest.objects.filter(customer_id=customer.pk)
    ids = list(requests.values_list("pk", flat=True))
    conversations = list(Conversation.objects.filter(customer=customer).values_list("pk", flat=True))
    calls = LLMCall.objects.filter(conversation_id__in=conversations)
    kept: Iterable[models.QuerySet[Any]] = (
        requests,
        Attempt.objects.filter(request_id__in=ids),
        LedgerEntry.objects.filter(request_id__in=ids),
        AuditEntry.objects.filter(
            Q(request_id__in=ids) | Q(actor=f"customer:{customer.pk}") | Q(payload__customer=str(customer.pk))
        ),
        calls,
        LLMBody.objects.filter(call__in=calls),
    )
    for rows in kept:
        yield from rows


def _shown(row: models.Model) -> dict[str, Any]:
    [serialized] = Serializer().serialize([row])
    fields = {name: value for name, value in serialized["fields"].items() if not name.endswith(_SECRET)}
    return {"id": row.pk, **fields}

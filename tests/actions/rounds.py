"""Repeated rounds of workers and sweeps."""

from collections.abc import Iterator

from django.db.models import Q

from actions.models import ActionRequest
from actions.states import FINAL, State


def rounds(most: int) -> Iterator[int]:
    """Yield the numbers of up to `most` rounds. Once all requests are final, or no check of an unknown one is planned,
    one more round shows that they stay so.
    """
    at_rest = Q(state__in=FINAL) | Q(state=State.UNKNOWN, due_at=None)
    for number in range(most):
        is_last = not ActionRequest.objects.exclude(at_rest).exists()
        yield number
        if is_last:
            return

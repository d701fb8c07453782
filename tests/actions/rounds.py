"""Repeated rounds of workers and sweeps."""

from collections.abc import Iterator

from actions.models import ActionRequest
from actions.states import FINAL


def rounds(most: int) -> Iterator[int]:
    """Yield the numbers of up to `most` rounds. Once all requests are final, one more round shows that they stay so."""
    for number in range(most):
        is_last = not ActionRequest.objects.exclude(state__in=FINAL).exists()
        yield number
        if is_last:
            return

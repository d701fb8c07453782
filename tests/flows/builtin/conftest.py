"""One web process with the built-in answerer, for the modules of this folder."""

from collections.abc import Iterator

import pytest

from tests.flows.people import Visitor
from tests.flows.stack import Stack, Web, web


@pytest.fixture(scope="package")
def builtin_web(stack: Stack) -> Iterator[Web]:
    with web(stack) as made:
        yield made


@pytest.fixture
def visitor(stack: Stack, builtin_web: Web) -> Visitor:
    return Visitor(stack, builtin_web.address)

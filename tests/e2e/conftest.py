"""What several end-to-end modules stand up: one mock upstream each."""

from collections.abc import Iterator

import pytest
from tests.support.mock_upstream import MockUpstream


@pytest.fixture(scope="module")
def upstream() -> Iterator[MockUpstream]:
    """Serve one module's tests from one mock, so that a module's counts are its own."""
    with MockUpstream() as mock:
        yield mock

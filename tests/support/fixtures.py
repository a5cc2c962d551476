"""Fixtures shared by several rooms; imported by ``tests/conftest.py``."""

from collections.abc import Iterator

import pytest
from tests.support.mock_upstream import MockUpstream


@pytest.fixture
def mock_upstream() -> Iterator[MockUpstream]:
    """A model provider on a free loopback port, for one test."""
    with MockUpstream() as mock:
        yield mock

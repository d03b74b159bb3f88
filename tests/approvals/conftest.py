"""The world of holds: in the test's transaction, or committed in a database of its own."""

import pytest

from tests.approvals.world import World, assemble
from tests.cast import Cast


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


@pytest.fixture
def fresh_world(fresh_cast: Cast) -> World:
    return assemble(fresh_cast)

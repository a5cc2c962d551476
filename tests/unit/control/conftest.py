from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.control_rig import Rig, open_rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    opened = open_rig(tmp_path)
    yield opened
    opened.database.close()

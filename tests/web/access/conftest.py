"""A door to try."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.access.service import Service, opened


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """The service of a village, without TLS, with the clerk Wang."""
    with opened(tmp_path) as made:
        yield made

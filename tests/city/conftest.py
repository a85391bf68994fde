"""The homes of a city: made once in each process that tests, and copied for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.city.harness import City, make_city


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The homes, not to be changed."""
    return make_city(tmp_path_factory.mktemp("city"))


@pytest.fixture
def city(template: Path, tmp_path: Path) -> Iterator[City]:
    """A copy of them, in which nothing runs."""
    with City(template, tmp_path / "city") as made:
        yield made

"""One service for the tests that leave it as good as they found it."""

from collections.abc import Iterator

import pytest

from tests.web.service.county import County
from tests.web.service.county import county as county_of
from tests.web.service.running import Running, fresh_home, running


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home, tokens = fresh_home(tmp_path_factory.mktemp("service") / "home")
    with running(home, tokens) as held:
        yield held


@pytest.fixture(scope="session")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[County]:
    with county_of(tmp_path_factory.mktemp("county")) as held:
        yield held

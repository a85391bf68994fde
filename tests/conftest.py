"""What every test shares: Hypothesis draws the same examples on every machine, so that a red run can be repeated.

And messages are in English, also in a process that has spoken Chinese before, whatever the machine's locale is.
"""

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None, database=None, print_blob=True)
settings.load_profile("ci")


@pytest.fixture(autouse=True)
def _messages_in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "en")

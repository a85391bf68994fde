"""What every test shares: Hypothesis draws the same examples on every machine, so that a red run can be repeated."""

from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None, database=None, print_blob=True)
settings.load_profile("ci")

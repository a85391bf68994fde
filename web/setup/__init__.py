"""The first run: from an empty home to a ledger, its keys on paper, and its people signed in."""

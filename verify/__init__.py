"""How anyone checks a ledger: the audit, its findings and its report; pure."""

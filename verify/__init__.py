"""How anyone checks a ledger, trusting nobody (FORMAT §12).

Read in this order: ``finding`` (what can be wrong), ``source`` (the bytes that come in), ``check`` (what is judged of
each entry alone, by many workers), ``checkpoints`` (what they say, and who signed them), ``audit`` (the one pass that
joins them), ``frozen`` and ``resume`` (how it stops and goes on), ``ties`` and ``across`` (several ledgers side by
side), ``kept`` (what an auditor kept from before), ``receipts`` (proofs of one entry or balance) and ``report``.
"""

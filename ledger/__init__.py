"""What entries mean: the rules, replay, balances (``ledger/RULES.md``).

Read in this order: ``numbers`` (account numbers), ``parameters``, ``bodies`` (what each kind says), ``roster`` (whose
keys count when), ``state`` (everything the log has led to), ``signing`` (who may and who must), then the rules by
group: ``people``, ``service`` and ``coupons``, ``hours``, ``corrections``, ``cases``, ``funds``, ``quality``, ``risk``,
``government``; ``kinds`` is the table that joins them and ``replay`` what drives them. ``suspicions`` looks on. Pure:
the clock, the disk and the network are the callers'.
"""

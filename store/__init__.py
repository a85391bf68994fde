"""Where a ledger is kept: the archive in SQLite (FORMAT §9), or memory for tests.

``log`` says what a store promises (``LogStore``) and has the one in memory; ``sqlite`` is the node's own; ``hashes``
keeps the Merkle tree's nodes as tiles for both; ``archive`` reads files of others, which are not trusted. ``database``
makes and opens every SQLite file of the home but that of ``care``.
"""

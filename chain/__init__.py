"""What cannot be changed: bytes, hashes, keys, signatures and proofs (``chain/FORMAT.md``).

Read in this order: ``limits`` and ``errors``; ``canonical`` (which JSON is an entry's); ``keys``; ``merkle``; ``entry``
(statements, sheets, entries) and ``block`` (seals); ``note``, ``checkpoint``, ``cosignature`` and ``policy`` (what is
signed about a log); ``tile`` and ``receipt`` (what is handed out of it). Nothing here touches a file, a socket, a clock
or a source of randomness: those belong to the callers.
"""

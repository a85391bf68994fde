"""What can go wrong in this package.

    ChainError
    ├── EntryError       bytes that are not an entry; ``code`` is the finding an audit reports
    ├── NoteError        text that is not a signed note, checkpoint, promise, receipt or policy
    ├── ProofError       a Merkle proof that does not prove
    └── BadKeyError      bytes that are not a key

A signature that does not verify is an answer (``False``), never an exception.
"""


class ChainError(ValueError):
    """Base of this package's errors; its text is one clear sentence."""


class EntryError(ChainError):
    """Bytes that are not an entry.

    ``code`` is one of ``entry.too-large``, ``entry.noncanonical``, ``entry.unknown-kind``, ``entry.malformed``
    (FORMAT §12 step 3).
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class NoteError(ChainError):
    """Text that is not a signed note, a checkpoint, a promise, a receipt or a policy."""


class ProofError(ChainError):
    """A Merkle proof that does not prove what it should."""


class BadKeyError(ChainError):
    """Bytes that are not a key."""

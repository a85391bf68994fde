"""Bounds on hostile input (FORMAT §1, §11). A reader enforces each before it allocates."""

ENTRY_MAX_BYTES = 65_535
ENTRY_MAX_SIGNATURES = 8
ENTRY_MAX_BESIDE = ENTRY_MAX_SIGNATURES - 1
SHEET_MAX_STATEMENTS = 1_024
BLOCK_MAX_ENTRIES = 65_536
ORIGIN_MAX_BYTES = 200
CHECKPOINT_MAX_SIGNATURES = 64
COUPONS_MAX = 1_024
"""In one book."""
PROOF_MAX_HASHES = 63
BLOB_MAX_BYTES = 32_768
ADMISSIONS_MAX = 8
"""Beside one proof."""
LOG_MAX_ENTRIES = 2**53 - 1
INTEGER_MAX = 2**53 - 1
NESTING_MAX = 8
STRING_MAX_CODE_POINTS = 1_024
CLOCK_AHEAD_MAX_SECONDS = 300
"""A node refuses an entry whose ``at`` is further ahead of its clock than this."""

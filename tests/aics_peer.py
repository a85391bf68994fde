"""Asks an independent implementation of tlog-tiles, signed-note and tlog-cosignature about a log it reads by itself.

Run with the folder of ``requirements-peers.lock`` on ``PYTHONPATH``: ``aics_peer.py <address> <log vkey> <cosigner
vkey>...``. Exit status 0 where everything verifies; else 1 and a line that says what does not.
"""

import sys

import aics_tlog  # type: ignore[import-not-found]  # only in the folder of the peers

STEP = 7


def objection(address: str, log_vkey: str, cosigner_vkeys: list[str]) -> str | None:
    """What the other implementation first objects to in the log behind ``address``."""
    reader = aics_tlog.HttpTileReader(address, proxies={})
    note = aics_tlog.parse_note(reader.read_checkpoint())
    key, cosigners = aics_tlog.parse_vkey(log_vkey), [aics_tlog.parse_vkey(vkey) for vkey in cosigner_vkeys]
    verdict = aics_tlog.verify_checkpoint(note, key, cosigners, quorum=len(cosigners))
    if not verdict.ok:
        return f"checkpoint: {verdict.error}"
    size, root = verdict.size, verdict.root
    report = aics_tlog.audit_tiles(reader, size, root)
    tiles = aics_tlog.VerifiedTileReader(reader, size, root)
    for index in range(0, size, STEP):
        proof = aics_tlog.inclusion_proof_from_tiles(tiles, index, size)
        if not aics_tlog.verify_leaf_inclusion(tiles.entry(index), index, size, proof, root):
            return f"inclusion of {index}"
        old_root = aics_tlog.tree_root_from_tiles(tiles, index + 1, size)
        proof = aics_tlog.consistency_proof_from_tiles(tiles, index + 1, size, size)
        if not aics_tlog.verify_consistency(index + 1, size, old_root, root, proof):
            return f"consistency with {index + 1}"
    print(report)
    return None


if __name__ == "__main__":
    found = objection(sys.argv[1], sys.argv[2], sys.argv[3:])
    if found is not None:
        print(found)
        sys.exit(1)

"""Merkle proofs, against the published cases."""

from typing import Any

import pytest

from chain.errors import ProofError
from chain.merkle import check_consistency, check_inclusion, leaf_hash, node_hash
from tests.chain.helpers import from_base64, published

CHOSEN_OTHERWISE = {
    # Leaf hash and root are both empty, in a tree of one leaf. Upstream refuses the length; we compare what is equal.
    # No caller can get there: every hash and root that comes from outside is parsed as 32 bytes.
    "inclusion/single-entry/empty-root-and-leaf",
    # From the empty tree to any other the empty proof holds (RFC 9162 §2.1.4 leaves it open, a witness starts there).
    "consistency/additional/size1-is-zero-and-size2-is-not-zero",
}
"""Cases that upstream refuses by a choice of its own; we accept exactly these."""


def _refused(check: Any, *arguments: Any) -> bool:
    try:
        check(*arguments)
    except ProofError:
        return True
    return False


@pytest.mark.parametrize("case", published("merkle_inclusion.json"), ids=lambda case: case["name"])
def test_inclusion(case: dict[str, Any]) -> None:
    path = [from_base64(hashed) for hashed in case["proof"] or []]
    leaf, root = from_base64(case["leafHash"]), from_base64(case["root"])
    refused = _refused(check_inclusion, leaf, case["leafIdx"], case["treeSize"], path, root)
    assert refused == (case["wantErr"] and case["name"] not in CHOSEN_OTHERWISE)


@pytest.mark.parametrize("case", published("merkle_consistency.json"), ids=lambda case: case["name"])
def test_consistency(case: dict[str, Any]) -> None:
    path = [from_base64(hashed) for hashed in case["proof"] or []]
    root1, root2 = from_base64(case["root1"]), from_base64(case["root2"])
    refused = _refused(check_consistency, case["size1"], case["size2"], root1, root2, path)
    assert refused == (case["wantErr"] and case["name"] not in CHOSEN_OTHERWISE)


def test_the_choices_are_about_cases_that_exist_and_upstream_refuses() -> None:
    cases = published("merkle_inclusion.json") + published("merkle_consistency.json")
    assert {case["name"] for case in cases if case["wantErr"]} >= CHOSEN_OTHERWISE


def test_single_published_hashes() -> None:
    assert leaf_hash(b"L123456").hex().startswith("395aa064")
    assert leaf_hash(b"").hex().startswith("6e340b9c")
    assert node_hash(b"N123", b"N456").hex().startswith("aa217fe8")

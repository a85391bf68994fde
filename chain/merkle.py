"""RFC 6962 Merkle trees: roots, proofs, and a tree whose leaves change in place (FORMAT §4, §7).

A *leaf index* counts leaves from 0; a *tree size* is a number of leaves; a *node* is named by its level (0 for leaves)
and its index among the complete subtrees of that level. Proofs are lists of 32-byte hashes, from the leaf's side up.

Nodes that are kept elsewhere come in through ``ReadNode``: a function of level and index that returns the hash of a
complete subtree (2**level leaves). ``Frontier`` is the tree to append to, ``StateTree`` the one whose leaves are
replaced.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence

from chain.errors import ProofError
from chain.limits import PROOF_MAX_HASHES

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

ReadNode = Callable[[int, int], bytes]

_sha256 = hashlib.sha256


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 ‖ data), RFC 9162 §2.1.1."""
    return _sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right), RFC 9162 §2.1.1."""
    return _sha256(b"\x01" + left + right).digest()


def levels_of(leaf_hashes: Sequence[bytes]) -> list[list[bytes]]:
    """Every level of the tree over ``leaf_hashes``, leaves first; a last node without a partner goes up unchanged."""
    levels = [list(leaf_hashes)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        above = [_sha256(b"\x01" + left + right).digest() for left, right in zip(below[::2], below[1::2], strict=False)]
        if len(below) % 2:
            above.append(below[-1])
        levels.append(above)
    return levels


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """The root over ``leaf_hashes``; of none, the hash of nothing."""
    return levels_of(leaf_hashes)[-1][0] if leaf_hashes else EMPTY_ROOT


def path_in(levels: Sequence[Sequence[bytes]], leaf_index: int) -> list[bytes]:
    """The inclusion path of a leaf, from what ``levels_of`` returned."""
    path = []
    for level in levels[:-1]:
        sibling = leaf_index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        leaf_index >>= 1
    return path


class Frontier:
    """A tree that only grows: the hashes of its complete subtrees, at most one a level (RFC 9162 §2.1.2).

    ``size`` leaves; ``append`` one leaf hash; ``root`` at any time. 63 hashes are all it keeps.
    """

    __slots__ = ("_nodes", "size")

    def __init__(self, size: int = 0, nodes: Iterable[bytes] = ()) -> None:
        """``nodes`` are the complete subtrees of a tree of ``size`` leaves, the largest first."""
        self.size = size
        self._nodes = list(nodes)
        if len(self._nodes) != size.bit_count():
            raise ProofError(f"a tree of {size} leaves has not {len(self._nodes)} complete subtrees")

    def append(self, leaf: bytes) -> None:
        """Add the hash of one leaf."""
        size, nodes, sha256 = self.size, self._nodes, _sha256
        self.size = size + 1
        while size & 1:
            leaf = sha256(b"\x01" + nodes.pop() + leaf).digest()
            size >>= 1
        nodes.append(leaf)

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._nodes:
            return EMPTY_ROOT
        root = self._nodes[-1]
        for node in self._nodes[-2::-1]:
            root = node_hash(node, root)
        return root

    def nodes(self) -> tuple[bytes, ...]:
        """The complete subtrees, the largest first: what ``Frontier`` can be made from again."""
        return tuple(self._nodes)


class StateTree:
    """A tree whose leaves are replaced in place, for the root of all balances (FORMAT §7).

    ``put`` a leaf hash at an old position or at the end; ``root`` hashes only what changed since it was last asked.
    """

    __slots__ = ("_changed", "_levels")

    def __init__(self, leaf_hashes: Sequence[bytes] = ()) -> None:
        self._levels = levels_of(leaf_hashes)
        self._changed: set[int] = set()

    def __len__(self) -> int:
        return len(self._levels[0])

    def put(self, position: int, leaf: bytes) -> None:
        """Set the leaf at ``position``, which is an old one or the first free one."""
        leaves = self._levels[0]
        if position == len(leaves):
            leaves.append(leaf)
        else:
            leaves[position] = leaf
        self._changed.add(position)

    def root(self) -> bytes:
        """The root over all leaves; of none, the hash of nothing."""
        changed, self._changed = self._changed, set()
        levels, sha256 = self._levels, _sha256
        depth = 0
        while changed and len(levels[depth]) > 1:
            below = levels[depth]
            depth += 1
            if depth == len(levels):
                levels.append([])
            above = levels[depth]
            last = len(below) - 1
            changed = {index >> 1 for index in changed}
            for index in sorted(changed) if len(above) <= last >> 1 else changed:
                left = 2 * index
                hashed = sha256(b"\x01" + below[left] + below[left + 1]).digest() if left < last else below[left]
                if index == len(above):
                    above.append(hashed)
                else:
                    above[index] = hashed
        return levels[-1][0] if levels[0] else EMPTY_ROOT

    def path(self, position: int) -> list[bytes]:
        """The inclusion path of a leaf under ``root()``."""
        self.root()
        return path_in(self._levels, position)


def root_from_inclusion(leaf: bytes, leaf_index: int, tree_size: int, path: Sequence[bytes]) -> bytes:
    """The root that ``path`` leads to from a leaf hash (RFC 9162 §2.1.3.2).

    Raises ProofError where the index is outside the tree or the path has another length than the tree's shape asks.
    """
    if not 0 <= leaf_index < tree_size:
        raise ProofError(f"leaf {leaf_index} is not in a tree of {tree_size}")
    _bound(path)
    index, last, hashed = leaf_index, tree_size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ProofError(f"the proof of leaf {leaf_index} in a tree of {tree_size} is too long: {len(path)} hashes")
        if index & 1 or index == last:
            hashed = _sha256(b"\x01" + sibling + hashed).digest()
            while not index & 1 and index:
                index >>= 1
                last >>= 1
        else:
            hashed = _sha256(b"\x01" + hashed + sibling).digest()
        index >>= 1
        last >>= 1
    if last:
        raise ProofError(f"the proof of leaf {leaf_index} in a tree of {tree_size} is too short: {len(path)} hashes")
    return hashed


def check_inclusion(leaf: bytes, leaf_index: int, tree_size: int, path: Sequence[bytes], root: bytes) -> None:
    """Raise ProofError unless ``path`` leads from the leaf hash to ``root``."""
    if root_from_inclusion(leaf, leaf_index, tree_size, path) != root:
        raise ProofError(f"the proof of leaf {leaf_index} does not lead to the root of the tree of {tree_size}")


def check_consistency(size1: int, size2: int, root1: bytes, root2: bytes, path: Sequence[bytes]) -> None:
    """Raise ProofError unless ``path`` proves that tree 2 begins with tree 1 (RFC 9162 §2.1.4.2).

    From the empty tree, and from a tree to itself, the proof is empty.
    """
    if not 0 <= size1 <= size2:
        raise ProofError(f"a tree of {size2} cannot begin with one of {size1}")
    _bound(path)
    if size1 == 0 and root1 != EMPTY_ROOT:
        raise ProofError("the root of the empty tree is another")
    if size1 in (0, size2):
        if path or (size1 == size2 and root1 != root2):
            raise ProofError(f"trees of {size1} and {size2} need no proof, and the same root where the sizes are one")
        return
    if not path:
        raise ProofError(f"the proof from {size1} to {size2} is empty")
    hashes = [root1, *path] if size1.bit_count() == 1 else path
    if prefix_roots(size1, size2, hashes) != (root1, root2):
        raise ProofError(f"the proof from {size1} to {size2} does not lead to both roots")


def prefix_roots(size1: int, size2: int, hashes: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The roots of tree 2 and of its first ``size1`` leaves, as ``hashes`` say (``prove_prefix``): first the smaller.

    Where the second one is a root that somebody signed, the first is what that tree begins with, whatever else was
    signed. Raises ProofError where the number of hashes is not what the shapes of the trees ask.
    """
    if not 0 < size1 < size2 or not hashes:
        raise ProofError(f"a tree of {size2} has no proof of what its first {size1} leaves are")
    _bound(hashes)
    index, last = size1 - 1, size2 - 1
    while index & 1:
        index >>= 1
        last >>= 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise ProofError(f"the proof from {size1} to {size2} is too long")
        if index & 1 or index == last:
            old = node_hash(sibling, old)
            new = node_hash(sibling, new)
            while not index & 1 and index:
                index >>= 1
                last >>= 1
        else:
            new = node_hash(new, sibling)
        index >>= 1
        last >>= 1
    if last:
        raise ProofError(f"the proof from {size1} to {size2} is too short")
    return old, new


def _bound(path: Sequence[bytes]) -> None:
    if len(path) > PROOF_MAX_HASHES:
        raise ProofError(f"a proof has at most {PROOF_MAX_HASHES} hashes, not {len(path)}")
    if any(len(hashed) != HASH_BYTES for hashed in path):
        raise ProofError(f"every hash of a proof has {HASH_BYTES} bytes")


def prove_inclusion(leaf_index: int, tree_size: int, read: ReadNode) -> list[bytes]:
    """The path of a leaf in the tree of ``tree_size`` leaves (RFC 9162 §2.1.3.1)."""
    if not 0 <= leaf_index < tree_size:
        raise ProofError(f"leaf {leaf_index} is not in a tree of {tree_size}")
    return _inclusion(leaf_index, 0, tree_size, read)


def prove_consistency(size1: int, size2: int, read: ReadNode) -> list[bytes]:
    """The proof that the tree of ``size2`` begins with that of ``size1`` (RFC 9162 §2.1.4.1)."""
    if not 0 <= size1 <= size2:
        raise ProofError(f"a tree of {size2} cannot begin with one of {size1}")
    return [] if size1 in (0, size2) else _consistency(size1, 0, size2, True, read)


def prove_prefix(size1: int, size2: int, read: ReadNode) -> list[bytes]:
    """What shows the root of a tree's first ``size1`` leaves to one who does not have it: for ``prefix_roots``.

    It is SUBPROOF(size1, D[size2], false) of RFC 6962 §2.1.2: the consistency proof whose first hash is never left out.
    """
    if not 0 < size1 < size2:
        raise ProofError(f"a tree of {size2} has no proof of what its first {size1} leaves are")
    return _consistency(size1, 0, size2, False, read)


def tree_root(tree_size: int, read: ReadNode) -> bytes:
    """The root of the tree of ``tree_size`` leaves."""
    return _range_root(0, tree_size, read) if tree_size else EMPTY_ROOT


def frontier(tree_size: int, read: ReadNode) -> Frontier:
    """The ``Frontier`` of the tree of ``tree_size`` leaves, to go on appending."""
    nodes, start = [], 0
    for level in range(tree_size.bit_length() - 1, -1, -1):
        if tree_size >> level & 1:
            nodes.append(read(level, start >> level))
            start += 1 << level
    return Frontier(tree_size, nodes)


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1


def _range_root(start: int, end: int, read: ReadNode) -> bytes:
    """The root over leaves ``start`` to ``end``; a complete subtree is read, any other computed."""
    size = end - start
    if size.bit_count() == 1:
        level = size.bit_length() - 1
        return read(level, start >> level)
    middle = start + _split(size)
    return node_hash(_range_root(start, middle, read), _range_root(middle, end, read))


def _inclusion(leaf_index: int, start: int, end: int, read: ReadNode) -> list[bytes]:
    if end - start == 1:
        return []
    middle = start + _split(end - start)
    if leaf_index < middle:
        return [*_inclusion(leaf_index, start, middle, read), _range_root(middle, end, read)]
    return [*_inclusion(leaf_index, middle, end, read), _range_root(start, middle, read)]


def _consistency(size1: int, start: int, end: int, whole: bool, read: ReadNode) -> list[bytes]:
    """``whole``: the old tree covers this range as a complete subtree whose root the reader of the proof has."""
    if size1 == end:
        return [] if whole else [_range_root(start, end, read)]
    middle = start + _split(end - start)
    if size1 <= middle:
        return [*_consistency(size1, start, middle, whole, read), _range_root(middle, end, read)]
    return [*_consistency(size1, middle, end, False, read), _range_root(start, middle, read)]

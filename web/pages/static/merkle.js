// RFC 6962 Merkle trees (FORMAT §4): roots, inclusion paths, and where a path leads.

import { FormatError, concat, equal } from "./bytes.js";

export const HASH_BYTES = 32;
export const PROOF_MAX_HASHES = 63;
const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", concat(...parts)));

export const leafHash = (data) => sha256(LEAF, data);

export const nodeHash = (left, right) => sha256(NODE, left, right);

/** All levels over some leaf hashes, the leaves first; a last node without a partner goes up as it is. */
export async function levelsOf(leaves) {
  const levels = [leaves];
  while (levels.at(-1).length > 1) {
    const below = levels.at(-1);
    const above = [];
    for (let place = 0; place < below.length; place += 2) {
      above.push(place + 1 < below.length ? await nodeHash(below[place], below[place + 1]) : below[place]);
    }
    levels.push(above);
  }
  return levels;
}

/** The root over leaf hashes; of none, the hash of nothing. */
export const rootOf = async (leaves) => (leaves.length ? (await levelsOf(leaves)).at(-1)[0] : sha256());

/** The inclusion path of one leaf, from what `levelsOf` returned. */
export function pathIn(levels, index) {
  const path = [];
  for (const level of levels.slice(0, -1)) {
    const sibling = index % 2 ? index - 1 : index + 1;
    if (sibling < level.length) path.push(level[sibling]);
    index = Math.floor(index / 2);
  }
  return path;
}

/** The root to which a path leads from a leaf hash (RFC 9162 §2.1.3.2). Sizes go beyond 32 bits: no shifts here. */
export async function rootFromInclusion(leaf, index, size, path) {
  if (!(index >= 0 && index < size)) throw new FormatError(`leaf ${index} is not in a tree of ${size}`);
  if (path.length > PROOF_MAX_HASHES) throw new FormatError("the proof is too long");
  if ([leaf, ...path].some((hash) => hash.length !== HASH_BYTES)) throw new FormatError("a hash has 32 bytes");
  let last = size - 1;
  let hashed = leaf;
  for (const sibling of path) {
    if (last === 0) throw new FormatError("the proof is too long");
    if (index % 2 || index === last) {
      hashed = await nodeHash(sibling, hashed);
      while (index % 2 === 0 && index) {
        index = index / 2;
        last = Math.floor(last / 2);
      }
    } else {
      hashed = await nodeHash(hashed, sibling);
    }
    index = Math.floor(index / 2);
    last = Math.floor(last / 2);
  }
  if (last) throw new FormatError("the proof is too short");
  return hashed;
}

/** FormatError unless the path leads from the leaf hash to the root. */
export async function checkInclusion(leaf, index, size, path, root) {
  if (!equal(await rootFromInclusion(leaf, index, size, path), root)) {
    throw new FormatError("the proof does not lead to the root");
  }
}

// Checks receipts and promises in the browser, off line, against verifier keys that the reader had before (FORMAT §3, §10).
//
//     const proven = await checkProof(raw, ["village.example/huzhu+97ebe374+Ad…"]);
//     proven.kind        "entry", "balance" or "promise"
//     proven.entry       the entry, as an object; of a balance the seal that states it
//     proven.balance     {account, balance, held, status, unit}, of a balance receipt
//     proven.origin, proven.index, proven.size, proven.signedBy, proven.cosignedBy
//
// Whatever does not hold is a FormatError. An entry receipt proves that the log holds the entry; the entry's own
// signatures and the rules are the audit's to check.

import { FormatError, equal, parseBase64, parseDecimal, text } from "./bytes.js";
import { parseCanonical } from "./canonical.js";
import { HASH_BYTES, PROOF_MAX_HASHES, checkInclusion, leafHash } from "./merkle.js";
import { ED25519, isBy, parseNote, parseVkey, verifyCosignature, verifyEd25519, verifyLine } from "./note.js";
import { keyId, sheetMessage, statementOf } from "./sheet.js";

const ENTRY = "c2sp.org/tlog-proof@v1";
const BALANCE = "huzhu/balance@v1";
const PROMISE = "huzhu/accepted/v1";
const ENTRY_MAX_BYTES = 65_535;
const LEAF_MAX_BYTES = 1_024;
export const PROOF_MAX_BYTES = 2 ** 20;
/** No receipt of this project is longer. */
const ORIGIN = /^(?!huzhu\/|cosignature\/)(?=.*\.)[a-z0-9][a-z0-9.-]*(\/[a-z0-9][a-z0-9._-]*)*$/;
const ORIGIN_MAX = 200;

/** What the bytes prove to somebody who trusts these verifier keys. */
export async function checkProof(raw, vkeys) {
  if (raw.length > PROOF_MAX_BYTES) throw new FormatError("it is too long for a receipt");
  const keys = await Promise.all(vkeys.map(parseVkey));
  const begin = text(raw.slice(0, 64).map((byte) => (byte < 128 ? byte : 63)));
  if (begin.startsWith(`${ENTRY}\n`)) return { kind: "entry", ...(await checkEntry(parseEntryReceipt(raw), keys)) };
  if (begin.startsWith(`${BALANCE}\n`)) return { kind: "balance", ...(await checkBalance(parseBalanceReceipt(raw), keys)) };
  if (begin.startsWith(`${PROMISE}\n`)) return { kind: "promise", ...(await checkPromise(raw, keys)) };
  throw new FormatError("it does not begin as a receipt or a promise does");
}

export function parseEntryReceipt(raw) {
  const [lines, checkpoint] = split(raw, ENTRY, ["extra", "index"]);
  return {
    extra: parseBase64(lines[0], 1, ENTRY_MAX_BYTES),
    index: parseDecimal(lines[1], Number.MAX_SAFE_INTEGER - 1),
    path: lines.slice(2).map(parseHash),
    checkpoint,
  };
}

export function parseBalanceReceipt(raw) {
  const [lines, seal] = split(raw, BALANCE, ["leaf", "index", "accounts", "genesis"]);
  return {
    leaf: parseBase64(lines[0], 1, LEAF_MAX_BYTES),
    index: parseDecimal(lines[1], Number.MAX_SAFE_INTEGER - 1),
    accounts: parseDecimal(lines[2]),
    genesis: parseHash(lines[3]),
    path: lines.slice(4).map(parseHash),
    seal: parseEntryReceipt(seal),
  };
}

/** Origin, size and root of a checkpoint, with its note; nothing verified. */
export function openCheckpoint(raw) {
  const note = parseNote(raw, 300);
  const lines = note.text.split("\n");
  if (lines.length !== 4 || lines[3] !== "") throw new FormatError("a checkpoint has three lines");
  return { origin: parseOrigin(lines[0]), size: parseDecimal(lines[1]), root: parseHash(lines[2]), note };
}

async function checkEntry(receipt, keys) {
  const checkpoint = openCheckpoint(receipt.checkpoint);
  await checkInclusion(await leafHash(receipt.extra), receipt.index, checkpoint.size, receipt.path, checkpoint.root);
  const signed = await checkSignatures(checkpoint, keys);
  const { origin, size } = checkpoint;
  return { origin, size, index: receipt.index, entry: parseCanonical(receipt.extra), ...signed };
}

async function checkBalance(receipt, keys) {
  const proven = await checkEntry(receipt.seal, keys);
  const { entry: seal, origin } = proven;
  const ids = await Promise.all(keys.map((key) => (isOf(key, origin) ? keyId(key.publicKey) : "")));
  const key = keys[ids.indexOf(seal.by)];
  if (seal.kind !== "seal" || seal.sheet || seal.with || seal.sigs?.length !== 1 || seal.sigs[0].key !== seal.by || !key) {
    throw new FormatError("the entry behind the balance is no seal of the node's own");
  }
  if (seal.body.size !== receipt.seal.index) throw new FormatError("the seal stands elsewhere than it says");
  const root = await leafHash(statementOf(seal));
  const message = sheetMessage("author", origin, receipt.genesis, seal.by, 1, root);
  if (!(await verifyEd25519(key.publicKey, message, parseBase64(seal.sigs[0].sig, 64, 64)))) {
    throw new FormatError("the seal's own signature does not hold");
  }
  if (seal.body.accounts !== receipt.accounts) throw new FormatError("the seal speaks of another number of accounts");
  await checkInclusion(
    await leafHash(receipt.leaf), receipt.index, receipt.accounts, receipt.path, parseHash(seal.body.state),
  );
  return { ...proven, balance: parseCanonical(receipt.leaf) };
}

async function checkPromise(raw, keys) {
  const note = parseNote(raw, 600);
  const lines = note.text.split("\n");
  if (lines.length !== 6 || lines[5] !== "") throw new FormatError("a promise has five lines");
  const origin = parseOrigin(lines[1]);
  const signed = await checkSignatures({ origin, note }, keys);
  return {
    origin,
    genesis: parseHash(lines[2]),
    index: parseDecimal(lines[3], Number.MAX_SAFE_INTEGER - 1),
    leafHash: parseHash(lines[4]),
    ...signed,
  };
}

/** Who signed: a key that is trusted for this ledger must have, and no line that claims a known key may be false. */
async function checkSignatures({ origin, note }, keys) {
  const signedBy = [];
  const cosignedBy = [];
  for (const key of keys) {
    for (const line of note.signatures.filter((each) => isBy(key, each))) {
      const time = key.type === ED25519 ? null : await verifyCosignature(key, note, line);
      if (key.type === ED25519 ? !(await verifyLine(key, note, line)) : time === null) {
        throw new FormatError(`the signature by ${key.name} does not hold`);
      }
      if (isOf(key, origin)) signedBy.push(key.name);
      else cosignedBy.push({ name: key.name, seconds: time });
    }
  }
  if (!signedBy.length) throw new FormatError("no key that you trust for this ledger has signed it");
  return { signedBy, cosignedBy };
}

const isOf = (key, origin) => key.type === ED25519 && key.name === origin;

const parseHash = (spelled) => parseBase64(spelled, HASH_BYTES, HASH_BYTES);

function parseOrigin(spelled) {
  if (spelled.length > ORIGIN_MAX || !ORIGIN.test(spelled)) throw new FormatError("it names no ledger");
  return spelled;
}

/** The values behind `keys` and then the proof's lines, and what stands after the empty line. */
function split(raw, header, keys) {
  const gap = raw.findIndex((byte, place) => byte === 10 && raw[place + 1] === 10);
  if (gap < 0) throw new FormatError("it has no empty line after its proof");
  const head = raw.subarray(0, gap);
  if (head.some((byte) => byte > 127)) throw new FormatError("something else than ASCII stands in it");
  const [first, ...lines] = text(head).split("\n");
  if (first !== header || lines.length < keys.length || lines.length > keys.length + PROOF_MAX_HASHES) {
    throw new FormatError("its first lines are not those of a receipt");
  }
  const values = keys.map((key, place) => {
    if (!lines[place].startsWith(`${key} `)) throw new FormatError(`the line ${key} is missing`);
    return lines[place].slice(key.length + 1);
  });
  return [[...values, ...lines.slice(keys.length)], raw.slice(gap + 2)];
}

/** Whether a promise was kept: the receipt is of the very entry that was promised. */
export async function isKept(promise, receiptRaw) {
  const receipt = parseEntryReceipt(receiptRaw);
  return receipt.index === promise.index && equal(await leafHash(receipt.extra), promise.leafHash);
}

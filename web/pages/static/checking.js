// A receipt against a trust file, all of it in the browser (C2SP tlog-policy; FORMAT §6, §10).
//
//     const found = await checkReceipt(raw, trust);     // what checkProof says; TrustError or FormatError where it does not hold
//
// `trust` is the text of a trust file, or a verifier key alone. Cosignatures by ML-DSA-44 cannot be checked here: they
// count for nothing, and where the quorum needs one that is said.

import { FormatError } from "./bytes.js";
import { COSIGNATURE_ED25519, COSIGNATURE_MLDSA44, ED25519, parseVkey } from "./note.js";
import { checkProof, openCheckpoint, parseBalanceReceipt, parseEntryReceipt } from "./receipt.js";

export const TRUST_MAX = 262_144;
const LINES_MAX = 1_024;
const BALANCE = "huzhu/balance@v1\n";
const ENTRY = "c2sp.org/tlog-proof@v1\n";

export class TrustError extends Error {
  /** `why`: "trust" (it is no trust file), "key" (no key of `origin`), "quorum", "quorum-long" (of long signatures). */
  constructor(why, values = {}) {
    super(why);
    this.why = why;
    this.values = values;
  }
}

/** Whether this browser has all that checking needs. */
export async function canCheck() {
  const point = Uint8Array.from("5866666666666666666666666666666666666666666666666666666666666666".match(/../g), (pair) => parseInt(pair, 16));
  try {
    await crypto.subtle.importKey("raw", point, { name: "Ed25519" }, true, ["verify"]);
    return typeof DecompressionStream === "function";
  } catch {
    return false;
  }
}

export const isReceipt = (text) => text.startsWith(ENTRY) || text.startsWith(BALANCE);

export async function checkReceipt(raw, trust) {
  const policy = await parseTrust(trust);
  const { origin } = openCheckpoint(checkpointOf(raw));
  const logs = policy.logs.filter((key) => key.type === ED25519);
  if (!logs.some((key) => key.name === origin)) throw new TrustError("key", { origin });
  const vkeys = logs.map((key) => key.spelled);
  const proven = await checkProof(raw, vkeys);
  const cosigned = new Set();
  for (const [name, key] of policy.witnesses) {
    if (key.type !== COSIGNATURE_ED25519) continue;
    const { cosignedBy } = await checkProof(raw, [...vkeys, key.spelled]);
    if (cosignedBy.some((line) => line.name === key.name && line.seconds !== null)) cosigned.add(name);
  }
  if (!isMet(policy, cosigned)) {
    const isLong = policy.witnesses.some(([, key]) => key.type === COSIGNATURE_MLDSA44);
    throw new TrustError(isLong ? "quorum-long" : "quorum", { name: policy.quorum });
  }
  return proven;
}

function checkpointOf(raw) {
  const isBalance = new TextDecoder().decode(raw.slice(0, BALANCE.length)) === BALANCE;
  return (isBalance ? parseBalanceReceipt(raw).seal : parseEntryReceipt(raw)).checkpoint;
}

function isMet({ quorum, groups }, cosigned) {
  for (const { name, threshold, members } of groups) {
    if (members.filter((member) => cosigned.has(member)).length >= threshold) cosigned.add(name);
  }
  return quorum === "none" || cosigned.has(quorum);
}

/** A trust file: `{logs: [key], witnesses: [[name, key]], groups, quorum}`. */
export async function parseTrust(text) {
  const told = text.replaceAll("\r\n", "\n").trim();
  const lines = (/^\S+$/.test(told) ? `log ${told}\nquorum none` : told).split("\n");
  if (told.length > TRUST_MAX || lines.length > LINES_MAX) throw new TrustError("trust");
  const policy = { logs: [], witnesses: [], groups: [], quorum: null };
  const names = new Set();
  const grouped = new Set();
  for (const line of lines) {
    const [word, ...rest] = line.trim().split(/[ \t]+/);
    if (!word || word.startsWith("#")) continue;
    if (!(await take(policy, names, grouped, word, rest))) throw new TrustError("trust");
  }
  if (policy.quorum === null || !policy.logs.length) throw new TrustError("trust");
  return policy;
}

async function take(policy, names, grouped, word, rest) {
  if (word === "log" && rest.length >= 1 && rest.length <= 2) return policy.logs.push(await keyOf(rest[0]));
  if (word === "quorum" && rest.length === 1 && policy.quorum === null) {
    policy.quorum = rest[0];
    return rest[0] === "none" || names.has(rest[0]);
  }
  const [name, ...more] = rest;
  if (!name || name === "none" || names.has(name)) return false;
  names.add(name);
  if (word === "witness" && more.length >= 1 && more.length <= 2) return policy.witnesses.push([name, await keyOf(more[0])]);
  if (word !== "group") return false;
  const [asked, ...members] = more;
  const threshold = { any: 1, all: members.length }[asked] ?? (/^[1-9][0-9]{0,3}$/.test(asked) ? Number(asked) : 0);
  if (!threshold || threshold > members.length || new Set(members).size !== members.length) return false;
  if (members.some((member) => member === name || !names.has(member) || grouped.has(member))) return false;
  members.forEach((member) => grouped.add(member));
  return policy.groups.push({ name, threshold, members });
}

async function keyOf(spelled) {
  try {
    return { ...(await parseVkey(spelled)), spelled };
  } catch (error) {
    if (error instanceof FormatError) throw new TrustError("trust");
    throw error;
  }
}

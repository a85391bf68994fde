// Statements and sheets (FORMAT §3): what a person signs with the key of this browser.
//
//     const statement = makeStatement({ at, by, seq, kind: "gift", body: { from, to, minutes }, beside: [] });
//     const sheet = await signSheet(domain, statement, key, (message) => …64 bytes…);
//     JSON.stringify(sheet)                        // what a node takes

import { FormatError, formatBase64, formatHex, parseBase64, utf8 } from "./bytes.js";
import { formatCanonical } from "./canonical.js";
import { leafHash, rootFromInclusion, rootOf, sha256 } from "./merkle.js";
import { verifyEd25519 } from "./note.js";

const VERSION = 1;
const STATEMENTS_MAX = 1_024;
const BESIDE_MAX = 7;
const TIME = /^[2]\d{3}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\dZ$/;
const FIRST_LINE = { author: "huzhu/sheet/v1", beside: "huzhu/beside/v1" };

/** The first 16 hex digits of SHA-256 over the domain line and the public key (FORMAT §2). */
export const keyId = async (publicKey) => formatHex(await sha256(utf8("huzhu/key/v1\n"), publicKey)).slice(0, 16);

/** A time as entries write it: whole seconds, UTC. */
export const formatTime = (milliseconds) => `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;

/** A statement as an object; `beside` are the ids of the keys that sign with its author. */
export function makeStatement({ at, by, seq, kind, body, beside = [] }) {
  if (!TIME.test(at) || !Number.isSafeInteger(seq) || seq < 0) throw new FormatError("its time or number is wrong");
  if (beside.length > BESIDE_MAX || beside.includes(by)) throw new FormatError("who signs beside cannot be that");
  const plain = { at, body, by, kind, seq, v: VERSION };
  return beside.length ? { ...plain, with: [...new Set(beside)].sort() } : plain;
}

/** The bytes that a role ("author" or "beside") signs, over a sheet of `size` statements with that root. */
export const sheetMessage = (role, origin, genesis, by, size, root) =>
  utf8(`${FIRST_LINE[role]}\n${origin}\n${formatBase64(genesis)}\n${by}\n${size}\n${formatBase64(root)}\n`);

/** The root that is signed over some statements, in their order. */
export async function sheetRoot(statements) {
  if (!statements.length || statements.length > STATEMENTS_MAX) throw new FormatError("a sheet has 1 to 1,024 statements");
  return rootOf(await Promise.all(statements.map((each) => leafHash(formatCanonical(each)))));
}

/** A sheet of one statement, signed by its author; whoever is in its `with` signs it later by `signBeside`. */
export async function signSheet({ origin, genesis }, statement, sign) {
  const message = sheetMessage("author", origin, genesis, statement.by, 1, await sheetRoot([statement]));
  return { statements: [statement], sigs: [{ key: statement.by, sig: formatBase64(await sign(message)) }] };
}

/** The base64 signature of somebody who signs beside, over a statement as its author signed it. */
export async function signBeside({ origin, genesis }, statement, sign) {
  const message = sheetMessage("beside", origin, genesis, statement.by, 1, await sheetRoot([statement]));
  return formatBase64(await sign(message));
}

/** The statement inside an entry: what was put on the sheet. */
export function statementOf(entry) {
  const { sigs: _sigs, sheet: _sheet, ...statement } = entry;
  return formatCanonical(statement);
}

/** Whether the signatures of an entry hold, over the sheet that its path leads to; `publics` by key id. */
export async function verifyEntry({ origin, genesis }, entry, publics) {
  const leaf = await leafHash(statementOf(entry));
  const place = entry.sheet;
  const path = place?.path.map((hash) => parseBase64(hash, 32, 32));
  const root = place ? await rootFromInclusion(leaf, place.index, place.size, path) : leaf;
  const signers = [entry.by, ...(entry.with ?? [])];
  if (place && !(place.size >= 2 && place.size <= STATEMENTS_MAX)) return false;
  if (entry.sigs.length !== signers.length) return false;
  for (const [index, { key, sig }] of entry.sigs.entries()) {
    if (key !== signers[index] || !publics[key]) return false;
    const role = index ? "beside" : "author";
    const message = sheetMessage(role, origin, genesis, entry.by, place?.size ?? 1, root);
    if (!(await verifyEd25519(publics[key], message, parseBase64(sig, 64, 64)))) return false;
  }
  return true;
}

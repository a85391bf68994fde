// Signed notes, verifier keys and Ed25519 (C2SP signed-note; FORMAT §2, §6), checked in the browser by WebCrypto.
//
// A signature counts exactly where libsodium takes it: that is stricter than browsers are about keys and points of small
// order, so those are looked up first.

import { FormatError, concat, equal, formatBase64, formatHex, parseBase64, parseHex, text, utf8 } from "./bytes.js";
import { sha256 } from "./merkle.js";

export const ED25519 = 0x01;
export const COSIGNATURE_ED25519 = 0x04;
export const COSIGNATURE_MLDSA44 = 0x06;
const PUBLIC_BYTES = { [ED25519]: 32, [COSIGNATURE_ED25519]: 32, [COSIGNATURE_MLDSA44]: 1312 };
const SIGNATURES_MAX = 64;
const SIGNATURE_MAX_BYTES = 5120;
const TEXT_MAX_BYTES = 65_536;
const NAME_MAX_BYTES = 255;
const TIME_BYTES = 8;
const DASH = "— ";
const CONTROL = /[\u0000-\u0009\u000b-\u001f]/;
const SPACE = /[\s\u001c-\u001f\u0085]/;

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const SIGN = 0x80;
const SMALL_ORDER = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
].map(parseHex);
/** Points that any signature fits, their sign bit cleared; other spellings of them are not canonical. */

const number = (raw) => BigInt(`0x${formatHex(Uint8Array.from(raw).reverse())}`);

/** Whether a point is written in its one way and is none of small order. */
function isSound(point) {
  const plain = Uint8Array.from(point);
  plain[31] &= ~SIGN;
  return number(plain) < P && !SMALL_ORDER.some((bad) => equal(bad, plain));
}

/** Whether libsodium would take the 64-byte signature by a 32-byte public key over a message. */
export async function verifyEd25519(publicKey, message, signature) {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  if (!isSound(publicKey) || !isSound(signature.subarray(0, 32)) || number(signature.subarray(32)) >= L) return false;
  try {
    const key = await crypto.subtle.importKey("raw", publicKey, { name: "Ed25519" }, true, ["verify"]);
    return await crypto.subtle.verify({ name: "Ed25519" }, key, signature, message);
  } catch {
    return false;
  }
}

/** The note in `raw`, its signatures not verified: `{text, signatures: [{name, hash, signature}]}`. */
export function parseNote(raw, textMaxBytes = TEXT_MAX_BYTES) {
  if (raw.length > textMaxBytes + 1 + SIGNATURES_MAX * 7500) throw new FormatError("the note is too long");
  const whole = text(raw);
  const gap = whole.lastIndexOf("\n\n");
  if (gap < 0) throw new FormatError("the note has no empty line before its signatures");
  const body = whole.slice(0, gap + 1);
  const lines = whole.slice(gap + 2);
  if (CONTROL.test(body) || utf8(body).length > textMaxBytes) throw new FormatError("the note's text is not allowed");
  if (!lines.endsWith("\n")) throw new FormatError("the note was cut off");
  const split = lines.slice(0, -1).split("\n");
  if (split.length > SIGNATURES_MAX) throw new FormatError("the note has too many signatures");
  return { text: body, signatures: split.map(parseSignature) };
}

function parseSignature(line) {
  const space = line.indexOf(" ", DASH.length);
  const name = line.slice(DASH.length, space);
  if (!line.startsWith(DASH) || space < 0 || !isKeyName(name)) throw new FormatError("a signature line is none");
  const blob = parseBase64(line.slice(space + 1), 5, 4 + SIGNATURE_MAX_BYTES);
  return { name, hash: blob.slice(0, 4), signature: blob.slice(4) };
}

const isKeyName = (name) =>
  name !== "" && !name.includes("+") && !CONTROL.test(name) && !SPACE.test(name) && utf8(name).length <= NAME_MAX_BYTES;

/** The verifier key that `<name>+<hash>+<base64>` spells: `{name, hash, type, publicKey}`. */
export async function parseVkey(spelled) {
  const [name, hash, ...rest] = spelled.split("+");
  if (!rest.length || !/^[0-9a-f]{8}$/.test(hash) || !isKeyName(name)) throw new FormatError("it is no verifier key");
  const material = parseBase64(rest.join("+"), 33, 1313);
  const key = { name, hash: parseHex(hash), type: material[0], publicKey: material.slice(1) };
  const whole = await sha256(utf8(`${name}\n`), material);
  if (key.publicKey.length !== PUBLIC_BYTES[key.type] || !equal(whole.slice(0, 4), key.hash)) {
    throw new FormatError("the verifier key does not fit its own hash");
  }
  return key;
}

/** The spelling of a key of type 0x01, as auditors pin it. */
export async function formatVkey(name, publicKey) {
  const material = concat(Uint8Array.of(ED25519), publicKey);
  const hash = (await sha256(utf8(`${name}\n`), material)).slice(0, 4);
  return `${name}+${formatHex(hash)}+${formatBase64(material)}`;
}

/** Whether a signature line says that it is by this key; it may lie. */
export const isBy = (key, line) => key.name === line.name && equal(key.hash, line.hash);

/** Whether a line is this key's (type 0x01) over the note's text. */
export const verifyLine = async (key, note, line) =>
  key.type === ED25519 && isBy(key, line) && verifyEd25519(key.publicKey, utf8(note.text), line.signature);

/** The seconds since 1970 that a cosigner (type 0x04) states under a checkpoint's text, or null. */
export async function verifyCosignature(key, note, line) {
  if (key.type !== COSIGNATURE_ED25519 || !isBy(key, line) || line.signature.length !== TIME_BYTES + 64) return null;
  const time = number(Uint8Array.from(line.signature.subarray(0, TIME_BYTES)).reverse());
  if (time > 2n ** 63n - 1n) return null;
  const message = utf8(`cosignature/v1\ntime ${time}\n${note.text}`);
  return (await verifyEd25519(key.publicKey, message, line.signature.subarray(TIME_BYTES))) ? Number(time) : null;
}

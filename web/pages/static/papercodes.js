// The texts of a printed receipt's QR codes, put together again (docs/decisions/0021-paper-codes.md, web/papercodes.py).
//
//     if (isCodes(text)) raw = await parseCodes(text);        // Uint8Array, nothing of it verified
//
// What is wrong is a CodeError: `why` names it, `values` stand in its sentence, which the page has in its own language.

import { sha256 } from "./merkle.js";

const MARK = "HZR1:";
const CODE = /HZR1:([1-9][0-9]?)\/([1-9][0-9]?):([A-Z2-7]{16}):([A-Z2-7]{1,1200}):([A-Z2-7]{4})/g;
const NOTHING = /[\s\u200b\u200c\u200d\ufeff]+/g;
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const PARTS_MAX = 32;
const TEXT_MAX = 131_072;
const RECEIPT_MAX_BYTES = 65_536;
const ID_BYTES = 10;
const SHOWN = 40;

export class CodeError extends Error {
  constructor(why, values = {}) {
    super(why);
    this.why = why;
    this.values = values;
  }
}

export const isCodes = (text) => text.slice(0, TEXT_MAX).normalize("NFKC").toUpperCase().includes(MARK);

/** The receipt that codes make, in any order, with whatever spaces between them. */
export async function parseCodes(text) {
  if (text.length > TEXT_MAX) throw new CodeError("too-much");
  const codes = await read(text.normalize("NFKC").replace(NOTHING, "").toUpperCase());
  const { parts, name } = codes[0];
  if (codes.some((code) => code.parts !== parts || code.name !== name)) throw new CodeError("different");
  const pieces = new Map(codes.map((code) => [code.part, code.piece]));
  const numbers = Array.from({ length: parts }, (_, place) => place + 1);
  const missing = numbers.filter((part) => !pieces.has(part));
  if (missing.length) throw new CodeError("missing", { count: parts, numbers: missing.join(", ") });
  return unpack(numbers.map((part) => pieces.get(part)).join(""), name);
}

async function read(text) {
  const codes = [];
  let end = 0;
  for (const found of text.matchAll(CODE)) {
    refuseForeign(text.slice(end, found.index));
    end = found.index + found[0].length;
    const [whole, part, parts, name, piece, check] = found;
    const values = { part: Number(part), parts: Number(parts) };
    const hashed = base32(await sha256(new TextEncoder().encode(whole.slice(0, -5))));
    if (hashed.slice(0, 4) !== check) throw new CodeError("misread", values);
    if (values.part > values.parts || values.parts > PARTS_MAX) throw new CodeError("no-part", values);
    codes.push({ ...values, name, piece });
  }
  refuseForeign(text.slice(end));
  if (!codes.length) throw new CodeError("none", { mark: MARK });
  return codes;
}

function refuseForeign(text) {
  if (text) throw new CodeError(text.startsWith(MARK) ? "cut" : "foreign", { text: text.slice(0, SHOWN), mark: MARK });
}

async function unpack(text, name) {
  const raw = await inflate(fromBase32(text));
  const id = raw && base32((await sha256(raw)).slice(0, ID_BYTES));
  if (id !== name) throw new CodeError("whole");
  return raw;
}

/** What zlib has packed; null where it is broken, or longer than a printed receipt may be. */
async function inflate(packed) {
  const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  const raw = new Uint8Array(RECEIPT_MAX_BYTES);
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return raw.slice(0, size);
      if (size + value.length > RECEIPT_MAX_BYTES) {
        await reader.cancel();
        return null;
      }
      raw.set(value, size);
      size += value.length;
    }
  } catch {
    return null;
  }
}

function fromBase32(text) {
  const raw = new Uint8Array(Math.floor((text.length * 5) / 8));
  let bits = 0;
  let held = 0;
  let place = 0;
  for (const character of text) {
    held = (held << 5) | BASE32.indexOf(character);
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    raw[place++] = held >> bits;
    held &= (1 << bits) - 1;
  }
  return raw;
}

function base32(raw) {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of raw) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32[held >> bits];
      held &= (1 << bits) - 1;
    }
  }
  return bits ? text + BASE32[held << (5 - bits)] : text;
}

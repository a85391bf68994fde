// Bytes and their spellings (FORMAT §1, §10): each value has one spelling only, and another one is refused.

export class FormatError extends Error {}
/** What was read is not what it says it is. Its text is for people who look closer; pages say it in their own words. */

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const DECIMAL = /^(0|[1-9][0-9]{0,15})$/;

export const utf8 = (text) => encoder.encode(text);

export function text(raw) {
  try {
    return decoder.decode(raw);
  } catch {
    throw new FormatError("it is not UTF-8");
  }
}

export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let place = 0;
  for (const part of parts) {
    whole.set(part, place);
    place += part.length;
  }
  return whole;
}

export const equal = (one, other) => one.length === other.length && one.every((byte, place) => byte === other[place]);

export function formatBase64(raw) {
  let binary = "";
  for (const byte of raw) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** The bytes of standard base64 with padding; `least` to `most` of them. */
export function parseBase64(spelled, least, most) {
  if (spelled.length > Math.ceil(most / 3) * 4) throw new FormatError("it is too long");
  let raw;
  try {
    raw = Uint8Array.from(atob(spelled), (character) => character.charCodeAt(0));
  } catch {
    throw new FormatError("it is not base64");
  }
  if (formatBase64(raw) !== spelled) throw new FormatError("it is not the one spelling of its bytes in base64");
  if (raw.length < least) throw new FormatError("it is too short");
  return raw;
}

export const formatHex = (raw) => Array.from(raw, (byte) => byte.toString(16).padStart(2, "0")).join("");

export const parseHex = (spelled) => Uint8Array.from(spelled.match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** A whole number without leading zeros, 0 to `most` (at most 2^53 − 1). */
export function parseDecimal(spelled, most = Number.MAX_SAFE_INTEGER) {
  const number = DECIMAL.test(spelled) ? Number(spelled) : NaN;
  if (!Number.isSafeInteger(number) || number > most) throw new FormatError("it is no whole number of that size");
  return number;
}

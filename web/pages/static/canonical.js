// Canonical JSON (FORMAT §1): RFC 8785 with narrower limits, so that a signature is over one spelling only.

import { FormatError, text, utf8 } from "./bytes.js";

const KEY = /^[a-z][a-z0-9_]{0,31}$/;
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const NESTING_MAX = 8;

/** The canonical bytes of a plain value; FormatError for one that §1 does not allow. */
export const formatCanonical = (value) => utf8(spell(value, 1));

/** The plain value in `raw`; FormatError where these bytes are not its one spelling. */
export function parseCanonical(raw) {
  const spelled = text(raw);
  let value;
  try {
    value = JSON.parse(spelled);
  } catch {
    throw new FormatError("it is not JSON");
  }
  if (spell(value, 1) !== spelled) throw new FormatError("its bytes do not re-encode to themselves");
  return value;
}

function spell(value, level) {
  if (typeof value === "string") return spellText(value);
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new FormatError("it holds a number that is no integer below 2^53");
    return String(value);
  }
  if (value === null || typeof value !== "object") throw new FormatError("it holds what no entry may hold");
  if (level > NESTING_MAX) throw new FormatError(`it nests deeper than ${NESTING_MAX} levels`);
  if (Array.isArray(value)) return `[${value.map((item) => spell(item, level + 1)).join(",")}]`;
  const pairs = Object.keys(value).sort().map((key) => {
    if (!KEY.test(key)) throw new FormatError("it has a key that no entry may have");
    return `"${key}":${spell(value[key], level + 1)}`;
  });
  return `{${pairs.join(",")}}`;
}

function spellText(value) {
  if (CONTROL.test(value)) throw new FormatError("it holds a control character");
  if (/\p{Surrogate}/u.test(value)) throw new FormatError("it holds half a surrogate pair");
  return `"${value.replace(/["\\]/g, "\\$&")}"`;
}

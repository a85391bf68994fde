// A person's own key: made in this browser and kept in it. Nobody can read it out, this page neither: it only signs.
//
//     const key = (await findKey(owner)) ?? (await makeKey(owner));   // owner: "ledger account"
//     keyText(key.publicKey)                                           // HZK1:<base64url>:<two check digits>, for the desk
//     await key.sign(message)

import { FormatError, formatBase64, formatHex, parseBase64 } from "./bytes.js";
import { keyId } from "./sheet.js";
import { KEYS, run } from "./vault.js";

const PREFIX = "HZK1";

/** Whether this browser can make such keys at all. */
export async function canSign() {
  try {
    await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
    return "indexedDB" in globalThis;
  } catch {
    return false;
  }
}

/** The key of an account in this browser, or null. */
export async function findKey(owner) {
  const kept = await run(KEYS, "readonly", (store) => store.get(owner));
  return kept ? use(kept) : null;
}

/** Make one and keep it. One that is there already stays: it may be granted. */
export async function makeKey(owner) {
  const pair = await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const made = { owner, publicKey, privateKey: pair.privateKey, madeAt: Date.now() };
  try {
    await run(KEYS, "readwrite", (store) => store.add(made));
  } catch (error) {
    const kept = await findKey(owner);
    if (kept) return kept;
    throw error;
  }
  await navigator.storage?.persist?.();
  return use(made);
}

/** Forget it: what was granted to it stays granted until the desk ends it. */
export const dropKey = (owner) => run(KEYS, "readwrite", (store) => store.delete(owner));

async function use({ publicKey, privateKey }) {
  const sign = async (message) => new Uint8Array(await crypto.subtle.sign({ name: "Ed25519" }, privateKey, message));
  return { id: await keyId(publicKey), publicKey, sign };
}

/** How a public key is read out, typed or scanned: ISO 7064 MOD 97-10 finds a slip. */
export function keyText(publicKey) {
  const spelled = formatBase64(publicKey).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  return `${PREFIX}:${spelled}:${checkDigits(publicKey)}`;
}

/** The public key in such a text. */
export function parseKeyText(text) {
  const [prefix, spelled = "", digits, ...rest] = text.trim().split(":");
  if (prefix !== PREFIX || rest.length) throw new FormatError("it does not begin as a key's text does");
  const publicKey = parseBase64(`${spelled.replace(/-/g, "+").replace(/_/g, "/")}=`, 32, 32);
  if (checkDigits(publicKey) !== digits) throw new FormatError("its check digits are wrong");
  return publicKey;
}

function checkDigits(publicKey) {
  const left = BigInt(`0x${formatHex(publicKey)}`) * 100n % 97n;
  return String(98n - left).padStart(2, "0");
}

// The page /check: reads what is pasted, dropped, chosen or scanned, checks it here, and says what it proves.
// Nothing leaves the browser. Where it cannot check (no Ed25519, no secure page) the form is posted as without scripts.

import { utf8 } from "./bytes.js";
import { TrustError, canCheck, checkReceipt, isReceipt } from "./checking.js";
import { CodeError, isCodes, parseCodes } from "./papercodes.js";

const FILE_MAX_BYTES = 700_000;
const SCAN_MS = 150;
const ZONE_MS = 8 * 3_600_000;
const FACTS = ["provider", "recipient", "giver", "account", "to", "category", "minutes"];

const root = document.querySelector(".check");
const words = JSON.parse(root.dataset.words);
const said = words.said;
const form = root.querySelector("form");
const [receipt, trust, file] = ["receipt", "trust", "file"].map((id) => document.getElementById(id));
const found = document.getElementById("found");
const viewer = root.querySelector(".viewer");
const aim = root.querySelector("[data-aim]");
const fill = (text, values = {}) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

class Told extends Error {}
/** Something that is said to the reader as it stands. */

// Reading

/** The receipt in a text: itself, or the codes that make it. */
async function read(text) {
  const plain = text.replaceAll("\r\n", "\n").trim();
  if (isReceipt(`${plain}\n`)) return utf8(`${plain}\n`);
  if (isCodes(plain) || !plain) return parseCodes(plain);
  throw new Told(said["no-receipt"]);
}

async function take(chosen) {
  if (chosen.size > FILE_MAX_BYTES && !chosen.type.startsWith("image/")) throw new Told(said["too-long"]);
  if (!chosen.type.startsWith("image/")) return chosen.text();
  const codes = await detect(await createImageBitmap(chosen).catch(() => null));
  if (!codes.length) throw new Told(said["no-code"]);
  return codes.join("\n");
}

async function detect(picture) {
  if (!("BarcodeDetector" in window)) throw new Told(said.picture);
  const seen = picture ? await new BarcodeDetector({ formats: ["qr_code"] }).detect(picture) : [];
  return seen.map((code) => code.rawValue);
}

// Saying

async function check() {
  try {
    const raw = await read(receipt.value);
    show("proven", await checkReceipt(raw, trust.value));
  } catch (error) {
    if (error instanceof CodeError) show("not-checked", fill(words.codes[error.why], error.values));
    else if (error instanceof Told) show("not-checked", error.message);
    else if (error.why === "trust") show("not-checked", said.trust);
    else show("not-proven", error instanceof TrustError ? fill(said[error.why], error.values) : said.changed);
  }
}

function show(outcome, what) {
  const isProven = outcome === "proven";
  const isSelf = isProven && trust.value.trim() === trust.dataset.own.trim();
  const note = element("div", { className: isSelf ? "note warn" : isProven ? "note" : "note bad" });
  note.append(element("h2", { textContent: `${isProven ? "✓" : "✗"} ${said[outcome]}` }));
  if (isProven) {
    note.append(facts(what), element("p", { textContent: said[isSelf ? "self" : "given"] }), element("p", { textContent: said.here }));
  } else {
    note.append(element("p", { textContent: what }));
  }
  found.replaceChildren(note);
  found.focus();
}

function facts(proven) {
  const list = element("dl", { className: "facts" });
  const add = (name, value) => list.append(element("dt", { textContent: said[name] }), element("dd", { textContent: value }));
  const { entry, balance } = proven;
  add("ledger", proven.origin);
  if (balance) {
    add("account", balance.account);
    add("balance", amount(balance.balance, balance.unit));
    add("held", amount(balance.held, balance.unit));
    add("status", words.statuses[balance.status] ?? balance.status);
  } else {
    add("what", words.kinds[entry.kind] ?? entry.kind);
    for (const name of FACTS.filter((each) => entry.body[each] !== undefined)) add(name, fact(name, entry.body[name]));
  }
  add("entry", proven.index);
  add("at", `${new Date(Date.parse(entry.at) + ZONE_MS).toISOString().slice(0, 16).replace("T", " ")} (UTC+8)`);
  add("size", proven.size);
  return list;
}

function fact(name, value) {
  if (name === "minutes") return amount(value, "minute");
  return name === "category" ? (words.categories[value] ?? value) : String(value);
}

function amount(count, unit) {
  const sign = count < 0 ? "−" : "";
  if (unit === "fen") return sign + fill(said.yuan, { yuan: (Math.abs(count) / 100).toFixed(2) });
  const hours = Math.floor(Math.abs(count) / 60);
  const minutes = Math.abs(count) % 60;
  return sign + fill(!minutes ? said.h : hours ? said.hm : said.m, { hours, minutes });
}

function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}

// Scanning

async function scan(field) {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    show("not-checked", said.camera);
    return;
  }
  const video = viewer.querySelector("video");
  const codes = new Set();
  let isOn = true;
  viewer.hidden = false;
  aim.textContent = said.aim;
  viewer.querySelector("[data-stop]").onclick = () => (isOn = false);
  video.srcObject = stream;
  await video.play().catch(() => (isOn = false));
  while (isOn) {
    const before = codes.size;
    const texts = await detect(video).catch(() => []);
    for (const text of texts) if (field === receipt || !isCodes(text)) codes.add(text.trim());
    if (codes.size > before) {
      field.value = [...codes].join("\n");
      aim.textContent = fill(said.read, { count: codes.size });
      isOn = field === receipt && !(await isWhole(field.value));
    } else {
      await new Promise((resolve) => setTimeout(resolve, SCAN_MS));
    }
  }
  stream.getTracks().forEach((track) => track.stop());
  viewer.hidden = true;
  if (receipt.value.trim()) await check();
}

/** Whether the codes so far need no other; one that is misread or foreign ends the scan, and is told. */
async function isWhole(text) {
  try {
    await parseCodes(text);
  } catch (error) {
    return error.why !== "missing";
  }
  return true;
}

// The page

if (await canCheck()) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    check();
  });
  const chosen = async (files) => {
    try {
      const texts = await Promise.all([...files].map(take));
      receipt.value = texts.join("\n");
    } catch (error) {
      show("not-checked", error instanceof Told ? error.message : said["no-receipt"]);
      return;
    }
    await check();
  };
  file.multiple = true;
  file.addEventListener("change", async () => {
    if (!file.files.length) return;
    await chosen(file.files);
    file.value = "";
  });
  root.addEventListener("dragover", (event) => {
    event.preventDefault();
    root.classList.add("over");
  });
  root.addEventListener("dragleave", () => root.classList.remove("over"));
  root.addEventListener("drop", (event) => {
    event.preventDefault();
    root.classList.remove("over");
    if (event.dataTransfer.files.length) chosen(event.dataTransfer.files);
  });
  if ("BarcodeDetector" in window && navigator.mediaDevices) {
    for (const line of root.querySelectorAll("[data-camera]")) line.hidden = false;
    for (const button of root.querySelectorAll("[data-scan]")) {
      button.addEventListener("click", () => scan(document.getElementById(button.dataset.scan)));
    }
  }
  root.dataset.ready = "yes";
}

// What a person reports from the road: `<form data-step>` (and `<form data-later>`). It is kept on this phone first, with
// the time of the press, and then sent: at once, or when there is a network again, by the account that pressed and by
// no other. A mark makes what is sent twice count once.

import { LATER, run } from "./vault.js";

const MARK_BYTES = 16;
const RETRY_MS = 30_000;
const ANSWER_MS = 10_000;
const AT_ONCE_MS = 60_000;
/** Within this the node's own clock says when it was; a phone's may be wrong. */
const NEVER = new Set([400, 404, 409, 410, 413, 422]);
/** The node will not take it however often it is sent. */
const TOLD = "huzhu-told";
const NEXT = { check_in: "check_out" };
/** What a volunteer does next, where the page itself cannot be asked again. */
let sending = false;

/** Look after the forms of a page and what waits for `owner` ("ledger account"). */
export async function watchLater(owner) {
  for (const form of document.querySelectorAll("form[data-step], form[data-later]")) {
    form.addEventListener("submit", (event) => onSubmit(event, form, owner));
  }
  const again = () => sendAll(owner);
  document.getElementById("later-send")?.addEventListener("click", again);
  addEventListener("online", again);
  setInterval(again, RETRY_MS);
  for (const kept of await waitingFor(owner)) stand(kept);
  await sendAll(owner);
}

/** What waits for an account, the oldest first. */
export const waitingFor = (owner) => run(LATER, "readonly", (store) => store.index("owner").getAll(owner));

async function onSubmit(event, form, owner) {
  event.preventDefault();
  const fields = Object.fromEntries([...new FormData(form, event.submitter)].filter(([, value]) => typeof value === "string"));
  delete fields.token;
  delete fields.at;
  fields.mark ||= mark();
  const kept = { owner, path: new URL(form.action).pathname, fields, at: Date.now() };
  await run(LATER, "readwrite", (store) => store.add(kept));
  stand(kept);
  await sendAll(owner, true);
}

function mark() {
  const raw = crypto.getRandomValues(new Uint8Array(MARK_BYTES));
  return Array.from(raw, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A form whose step waits to be sent offers the next step, or says that it is noted. */
function stand({ path, fields }) {
  for (const form of document.querySelectorAll("form[data-step]")) {
    if (new URL(form.action).pathname !== path || form.dataset.step !== fields.step) continue;
    const next = NEXT[fields.step];
    const button = form.querySelector("button");
    if (next) {
      form.dataset.step = form.elements.step.value = next;
      button.textContent = document.getElementById("later").dataset.checkOut;
    } else {
      button.disabled = true;
      button.textContent = document.getElementById("later").dataset.noted;
    }
  }
}

/** Send what waits in its order. After a press that the node has answered the page is loaded anew. */
async function sendAll(owner, pressed = false) {
  if (sending) return;
  sending = true;
  let told = "";
  let refused = "";
  try {
    for (const kept of navigator.onLine ? await waitingFor(owner) : []) {
      const answer = await send(kept);
      if (answer === null) break;
      await run(LATER, "readwrite", (store) => store.delete(kept.id));
      told = answer.told;
      if (!answer.done) refused = answer.told;
    }
  } finally {
    sending = false;
  }
  const left = (await waitingFor(owner)).length;
  if (told) sessionStorage.setItem(TOLD, JSON.stringify({ told, refused }));
  if (told && pressed) location.reload();
  else show(left);
}

/** Send one: what the node says to it, or null where it has to wait. */
async function send({ path, fields, at }) {
  const token = document.querySelector('input[name="token"]')?.value ?? "";
  const body = new URLSearchParams({ ...fields, token });
  if (Date.now() - at > AT_ONCE_MS) body.set("at", `${new Date(at).toISOString().slice(0, 19)}Z`);
  try {
    const answer = await fetch(path, {
      method: "POST", body, redirect: "manual", signal: AbortSignal.timeout(ANSWER_MS), headers: { Accept: "application/json" },
    });
    if (!answer.ok && !NEVER.has(answer.status)) return null;
    const { done = answer.ok, told = String(answer.status) } = await answer.json().catch(() => ({}));
    return { done, told };
  } catch {
    return null;
  }
}

/** Say how much waits, and what the node said to what was sent. */
function show(count) {
  const box = document.getElementById("later");
  if (!box) return;
  const { told = "", refused = "" } = JSON.parse(sessionStorage.getItem(TOLD) ?? "{}");
  sessionStorage.removeItem(TOLD);
  const waits = count === 1 ? box.dataset.one : count ? box.dataset.several.replace("{count}", count) : "";
  const said = refused ? box.dataset.refused.replace("{why}", refused) : told;
  if (waits || said) document.getElementById("later-text").textContent = [waits, said].filter(Boolean).join(" ");
  box.hidden = !(waits || said || (!box.hidden && count));
  box.classList.toggle("warn", Boolean(waits || refused));
  document.getElementById("later-send").parentElement.hidden = count === 0;
  box.dataset.waiting = String(count);
}

// Forms that are signed by the person's own key: `<form data-sign="give">`. The browser makes the statement out of the
// fields, signs it (FORMAT §3) and puts it into the hidden field `sheet`; the form itself is sent as ever. Without a
// granted key in this browser nothing here happens, and the form asks the desk.

import { parseBase64, utf8 } from "./bytes.js";
import { parseCanonical } from "./canonical.js";
import { findKey } from "./keys.js";
import { formatTime, makeStatement, signBeside, signSheet } from "./sheet.js";

const me = document.getElementById("me").dataset;
const domain = { origin: me.origin, genesis: parseBase64(me.genesis, 32, 32) };
const loaded = performance.now();
const MINUTE_MS = 60_000;

/** The node's clock, which counts here: a phone's own may be wrong by hours. */
const now = () => Date.parse(me.now) + Math.round(performance.now() - loaded);

const value = (form, name) => (new FormData(form).get(name) ?? "").toString().normalize("NFC").trim();
const whole = (form, name) => {
  const text = value(form, name) || "0";
  if (!/^[0-9]{1,9}$/.test(text)) throw new RangeError(name);
  return Number(text);
};
const words = (form, name) => value(form, name).split(/\s+/u).filter(Boolean).join(" ");

/** What each form says, as kind and body. */
const SAID = {
  give(form) {
    const minutes = whole(form, "hours") * 60 + whole(form, "minutes");
    const to = value(form, "to");
    if (!to || !minutes) throw new RangeError("minutes");
    return to === "pool" ? ["donate", { from: me.account, minutes }] : ["gift", { from: me.account, minutes, to }];
  },
  dispute(form) {
    return ["dispute", { ground: words(form, "ground"), index: whole(form, "index"), party: me.account }];
  },
  appeal(form) {
    return ["appeal", { case: whole(form, "case"), ground: words(form, "ground") }];
  },
  service(form) {
    const start = local(form, "start");
    const end = local(form, "end");
    if (!(end > start)) throw new RangeError("end");
    const body = {
      category: value(form, "category"),
      end: formatTime(end),
      evidence: { class: "signed" },
      minutes: Math.floor((end - start) / MINUTE_MS),
      paid_by: value(form, "paid_by"),
      provider: me.account,
      recipient: value(form, "with"),
      start: formatTime(start),
    };
    if (form.dataset.guardian) body.guardian = form.dataset.guardian;
    return ["service", body, [value(form, "beside")]];
  },
};

/** A day and a clock time of the village as milliseconds since 1970. */
function local(form, name) {
  const time = Date.parse(`${value(form, "date")}T${value(form, name)}:00Z`);
  if (Number.isNaN(time)) throw new RangeError(name);
  return time - Number(me.offset) * MINUTE_MS;
}

async function sign(form, key) {
  if (form.dataset.sign === "beside") {
    const statement = parseCanonical(utf8(form.dataset.statement));
    form.elements.sig.value = await signBeside(domain, statement, key.sign);
    return;
  }
  const [kind, body, beside = []] = SAID[form.dataset.sign](form);
  const at = now();
  const seq = Math.max(at, Number(me.seq));
  const statement = makeStatement({ at: formatTime(at), by: key.id, seq, kind, body, beside });
  form.elements.sheet.value = JSON.stringify(await signSheet(domain, statement, key.sign));
}

/** Offer to sign, where this browser has the key that is asked for. */
function offer(form, key) {
  const button = form.querySelector("[data-sign-button]");
  const desk = form.querySelector("[data-desk-button]");
  button.hidden = false;
  desk?.classList.add("quiet");
  for (const hint of form.querySelectorAll("[data-no-key]")) hint.hidden = true;
  button.addEventListener("click", async (event) => {
    event.preventDefault();
    if (!form.reportValidity()) return;
    button.disabled = true;
    const failed = form.querySelector("[data-failed]");
    failed.hidden = true;
    try {
      await sign(form, key);
      form.submit();
    } catch {
      failed.hidden = false;
      button.disabled = false;
    }
  });
}

const key = await findKey(`${me.origin} ${me.account}`).catch(() => null);
if (key && me.keys.split(" ").includes(key.id)) {
  for (const form of document.querySelectorAll("form[data-sign]")) {
    if (form.dataset.sign !== "beside" || form.dataset.key === key.id) offer(form, key);
  }
}

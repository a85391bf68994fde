// The page of my key: makes it, says whether the ledger knows it, and hands its public text to the form that shows it.

import { canSign, dropKey, findKey, keyText, makeKey } from "./keys.js";

const me = document.getElementById("me");
const owner = `${me.dataset.origin} ${me.dataset.account}`;
const here = document.getElementById("key-here");
const state = document.getElementById("key-state");
const make = document.getElementById("key-make");
const drop = document.getElementById("key-drop");
const show = document.getElementById("key-show");
const id = document.getElementById("key-id");

async function draw() {
  here.hidden = false;
  const key = (await canSign()) ? await findKey(owner) : undefined;
  const known = key && document.querySelector(`[data-known="${key.id}"]`)?.dataset.state;
  const word = key === undefined ? "cannot" : key === null ? "none" : known === "granted" ? "granted" : known ? "ended" : "waits";
  state.textContent = state.dataset[word];
  state.dataset.state = word;
  make.hidden = word !== "none";
  drop.hidden = !key;
  show.hidden = !key || word === "ended";
  id.hidden = !key;
  if (key) {
    id.querySelector("[data-id]").textContent = key.id;
    show.elements.key.value = keyText(key.publicKey);
  }
}

make.addEventListener("click", async () => {
  await makeKey(owner);
  await draw();
  show.querySelector("button").focus();
});

drop.addEventListener("click", async () => {
  if (!confirm(drop.dataset.sure)) return;
  await dropKey(owner);
  await draw();
});

draw();

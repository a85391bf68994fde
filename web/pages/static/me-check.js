// "Check it here": fetches a line's proof and checks it in this browser, by `receipt.js`.

import { FormatError } from "./bytes.js";
import { checkProof } from "./receipt.js";

const { vkey } = document.getElementById("me").dataset;
const told = document.getElementById("checked");

async function check(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(String(answer.status));
  const proven = await checkProof(new Uint8Array(await answer.arrayBuffer()), [vkey]);
  return proven.kind === "promise" ? told.dataset.promised : told.dataset.good.replace("{size}", proven.size);
}

for (const button of document.querySelectorAll("[data-check]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    told.hidden = false;
    told.className = "note";
    try {
      told.textContent = await check(button.dataset.check);
      told.classList.add("good");
    } catch (error) {
      told.textContent = error instanceof FormatError ? told.dataset.bad : told.dataset.away;
      told.classList.add("bad");
    }
  });
}

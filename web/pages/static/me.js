// Every page of the passbook: the service worker that lets it open off line, and what waits on this phone to be sent.

import { register } from "./offline.js";
import { watchLater } from "./later.js";

const me = document.getElementById("me");

function showLine() {
  const note = document.getElementById("offline");
  if (note) note.hidden = navigator.onLine;
}

addEventListener("online", showLine);
addEventListener("offline", showLine);
showLine();
register();
if (me) watchLater(`${me.dataset.origin} ${me.dataset.account}`);

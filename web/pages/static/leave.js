// On pages of persons, and where nobody is signed in: what was kept for the session goes before the session does.

import { forget } from "./offline.js";

const form = document.querySelector('form[action="/sign-out"]');
if (form) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    forget().finally(() => form.submit());
  });
} else {
  forget();
}

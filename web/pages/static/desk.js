// What makes the desk quicker; every page works without it.
//   input[data-find]      a list of people while somebody types a name (WAI-ARIA combobox); it fills in "name number"
//   #record               hours at once, and what the rules will say, before it is sent
//   form[data-drop]       a day sheet dropped onto the page, or pasted from a spreadsheet
// What is typed to find somebody goes by POST: a name stands in no address.

const WAIT_MS = 120, LOOK_MS = 350;
let made = 0;

for (const input of document.querySelectorAll("input[data-find]")) finder(input);
const form = document.getElementById("record");
if (form) record(form);
for (const each of document.querySelectorAll("form[data-drop]")) dropped(each);

function finder(input) {
  const id = `people-${made++}`;
  const list = document.createElement("ul");
  list.id = id;
  list.className = "people-list";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", input.labels[0]?.textContent.trim() ?? "");
  const said = document.createElement("p");
  said.className = "hint";
  said.setAttribute("role", "status");
  input.after(list, said);
  const roles = { role: "combobox", "aria-expanded": "false", "aria-controls": id, "aria-autocomplete": "list" };
  for (const [name, value] of Object.entries(roles)) input.setAttribute(name, value);
  let people = [], at = -1, timer = 0, asked = 0, waiting = null;

  input.addEventListener("input", () => {
    clearTimeout(timer);
    waiting = new Promise((done) => { timer = setTimeout(() => ask().then(done), WAIT_MS); });
  });
  input.addEventListener("keydown", async (event) => {
    if (event.isComposing) return;
    if ((event.key === "ArrowDown" || event.key === "ArrowUp") && people.length) {
      event.preventDefault();
      mark((at + (event.key === "ArrowDown" ? 1 : -1) + people.length) % people.length);
    } else if (event.key === "Enter" && needsName()) {
      event.preventDefault();
      await waiting;
      if (people.length) take(people[Math.max(at, 0)]);
      next(input);
    } else if (event.key === "Tab" && people.length && at >= 0) {
      take(people[at]);
    } else if (event.key === "Escape" && people.length) {
      event.preventDefault();
      show([]);
    }
  });
  input.addEventListener("blur", () => setTimeout(() => show([]), 150));

  function needsName() {
    return input.value.trim() !== "" && !/(^|\s)[0-9]{8}$/.test(input.value);
  }
  async function ask() {
    const mine = ++asked, typed = input.value.trim();
    if (!typed || !needsName()) { said.textContent = ""; show([]); return; }
    let answer = null;
    try {
      const response = await fetch("/people/find", { method: "POST", body: new URLSearchParams({ q: typed }) });
      if (response.ok) answer = await response.json();
    } catch { /* the line is down: the form finds people too */ }
    if (mine !== asked || document.activeElement !== input) return;
    show(answer?.found ?? []);
    said.textContent = answer !== null && !people.length ? input.dataset.none : "";
  }
  function show(found) {
    people = found;
    at = -1;
    list.replaceChildren(...people.map((person, place) => {
      const line = document.createElement("li"), name = document.createElement("b"), more = document.createElement("small");
      line.id = `${id}-${place}`;
      line.setAttribute("role", "option");
      name.textContent = person.name || person.account;
      more.textContent = [person.account, person.detail].filter(Boolean).join(" · ");
      line.append(name, " ", more);
      line.addEventListener("mousedown", (event) => event.preventDefault());
      line.addEventListener("click", () => { take(person); next(input); });
      return line;
    }));
    list.hidden = !people.length;
    input.setAttribute("aria-expanded", String(people.length > 0));
    if (people.length) mark(0); else input.removeAttribute("aria-activedescendant");
  }
  function mark(place) {
    at = place;
    [...list.children].forEach((line, index) => line.setAttribute("aria-selected", String(index === at)));
    list.children[at].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", list.children[at].id);
  }
  function take(person) {
    asked++;
    input.value = `${person.name} ${person.account}`.trim();
    said.textContent = "";
    show([]);
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }
}

// The next field that somebody has to fill in, as Enter leads on where it does not send.
function next(input) {
  const fields = [...input.form.elements].filter((each) => each.matches("input:not([type=hidden]), select, button"));
  const after = fields.slice(fields.indexOf(input) + 1);
  (after.find((each) => each.required && !each.value) ?? after[0])?.focus();
}

function record(form) {
  const field = (name) => form.elements.namedItem(name);
  const hours = document.getElementById("hours"), preview = document.getElementById("preview");
  const coupon = form.querySelector(".coupon-field");
  let timer = 0, asked = 0;
  const shown = () => { coupon.hidden = field("evidence").value !== "coupon" && !field("coupon").value; };
  form.addEventListener("input", changed);
  form.addEventListener("change", changed);
  changed();

  function changed() {
    shown();
    const minutes = between(minute(field("start").value), minute(field("end").value));
    hours.value = minutes === null ? "–" : String(Math.round(minutes / 0.6) / 100);
    clearTimeout(timer);
    asked++;
    const isWhole = ["provider", "recipient"].every((name) => /[0-9]{8}$/.test(field(name).value.trim()));
    if (minutes !== null && isWhole) timer = setTimeout(look, LOOK_MS);
    else tell([], true);
  }
  async function look() {
    const mine = ++asked;
    try {
      const response = await fetch(preview.dataset.look, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      if (mine !== asked || !response.ok) return;
      const said = await response.json();
      tell([...said.warnings, ...said.lines], said.is_good, said.warnings.length > 0);
    } catch { /* the line is down: sending it will say */ }
  }
  function tell(lines, isGood, isWarned = false) {
    preview.className = lines.length ? (isGood ? (isWarned ? "note warn" : "note") : "note bad") : "";
    preview.replaceChildren(...lines.map((line) => Object.assign(document.createElement("p"), { textContent: line })));
  }
}

function minute(text) {
  const found = /^([01]?[0-9]|2[0-3])[:：]?([0-5][0-9])$/.exec(text.normalize("NFKC").trim());
  return found ? Number(found[1]) * 60 + Number(found[2]) : null;
}

function between(start, end) {
  if (start === null || end === null || start === end) return null;
  return end > start ? end - start : end + 1440 - start;
}

function dropped(form) {
  const area = form.querySelector("textarea"), zone = form.querySelector(".drop"), file = form.querySelector("input[type=file]");
  for (const kind of ["dragenter", "dragover"]) {
    zone.addEventListener(kind, (event) => { event.preventDefault(); zone.classList.add("over"); });
  }
  for (const kind of ["dragleave", "drop"]) zone.addEventListener(kind, () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) {
      file.files = event.dataTransfer.files;
      form.requestSubmit();
    } else area.value = event.dataTransfer.getData("text/plain");
  });
  file.addEventListener("change", () => { if (file.files.length) form.requestSubmit(); });
}

// A list of people under a field while somebody types. <input data-people="go"> leads to the person's page,
// <input data-people="fill"> takes the account number. Without this module the field is an ordinary one.
// What is typed goes by POST in the request's body: a name stands in no address, no history and no log.

const WAIT_MS = 120;
let made = 0;

for (const input of document.querySelectorAll("input[data-people]")) enhance(input);

function enhance(input) {
  const id = `found-${made++}`;
  const list = element("ul", { id, role: "listbox", className: "found", hidden: true });
  const told = element("p", { role: "status", className: "hint" });
  list.setAttribute("aria-label", input.labels[0]?.textContent.trim() ?? "");
  input.after(list, told);
  input.parentElement.classList.add("finder");
  for (const [name, value] of Object.entries({ role: "combobox", "aria-expanded": "false", "aria-controls": id,
    "aria-autocomplete": "list", autocomplete: "off" })) input.setAttribute(name, value);

  let found = [], at = -1, timer = 0, asked = 0;

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, WAIT_MS);
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!found.length) return;
      event.preventDefault();
      mark((at + (event.key === "ArrowDown" ? 1 : at < 0 ? 0 : -1) + found.length) % found.length);
    } else if (event.key === "Enter" && at >= 0) {
      event.preventDefault();
      take(found[at]);
    } else if (event.key === "Escape" && found.length) {
      event.preventDefault();
      show([]);
    }
  });
  input.addEventListener("blur", () => setTimeout(() => show([]), 200));

  async function ask() {
    const mine = ++asked, typed = input.value.trim();
    if (!typed) { told.textContent = ""; return show([]); }
    let answer = null;
    try {
      const response = await fetch("/people/find", { method: "POST", body: new URLSearchParams({ q: typed }) });
      if (response.ok) answer = await response.json();
    } catch { /* the line is down: the button still works */ }
    if (mine !== asked || document.activeElement !== input) return;
    show(answer?.found ?? []);
    told.textContent = answer === null ? input.dataset.failed ?? "" : found.length ? "" : input.dataset.none ?? "";
  }

  function show(people) {
    found = people;
    at = -1;
    list.replaceChildren(...people.map((person, place) => {
      const line = element("li", { id: `${id}-${place}`, role: "option" });
      line.setAttribute("aria-selected", "false");
      line.append(element("b", { textContent: person.name || person.account }),
        element("small", { textContent: [person.account, person.detail].filter(Boolean).join(" · ") }));
      line.addEventListener("mousedown", (event) => event.preventDefault());
      line.addEventListener("click", () => take(person));
      return line;
    }));
    list.hidden = !people.length;
    input.setAttribute("aria-expanded", String(people.length > 0));
    input.removeAttribute("aria-activedescendant");
  }

  function mark(place) {
    list.children[at]?.setAttribute("aria-selected", "false");
    at = place;
    const line = list.children[at];
    line.setAttribute("aria-selected", "true");
    line.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", line.id);
  }

  function take(person) {
    if (input.dataset.people === "go") {
      location.assign(`/people/${person.account}`);
      return;
    }
    input.value = person.account;
    told.textContent = person.name;
    show([]);
  }
}

function element(name, values) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(values)) key === "role" ? made.setAttribute(key, value) : (made[key] = value);
  return made;
}

for (const button of document.querySelectorAll("button[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

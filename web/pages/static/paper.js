// A button that prints the page, where there are scripts; without them the browser's own menu does.

for (const button of document.querySelectorAll("button[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

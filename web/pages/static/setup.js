// The sheets' page: a button that opens the browser's own window for printing.
const button = document.getElementById("print");
if (button) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

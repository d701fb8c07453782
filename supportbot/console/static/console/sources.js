// Sources: a run's progress updates itself while it is under way, and files can be dropped on the box of a file field.

const EVERY_MS = 1500;

const live = document.getElementById("progress");
if (live?.querySelector("[data-under-way]")) setTimeout(look, EVERY_MS);

async function look() {
  let text = "";
  try {
    const answer = await fetch(live.dataset.progress + location.search);
    if (answer.redirected || answer.status === 403) return; // logged out
    if (answer.ok) text = await answer.text();
  } catch {
    // The server may be restarting: try again.
  }
  if (text) show(text);
  if (!text || live.querySelector("[data-under-way]")) setTimeout(look, EVERY_MS);
}

function show(text) {
  const focused = live.contains(document.activeElement) ? document.activeElement.id : "";
  const page = new DOMParser().parseFromString(text, "text/html");
  live.replaceChildren(...page.body.children);
  if (focused) document.getElementById(focused)?.focus();
}

for (const box of document.querySelectorAll("[data-drop]")) {
  const input = box.querySelector("input[type=file]");
  for (const kind of ["dragenter", "dragover"]) {
    box.addEventListener(kind, (event) => {
      event.preventDefault();
      box.classList.add("over");
    });
  }
  box.addEventListener("dragleave", () => box.classList.remove("over"));
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    box.classList.remove("over");
    input.files = event.dataTransfer.files;
    if (box.dataset.drop === "send") input.form.requestSubmit();
  });
}

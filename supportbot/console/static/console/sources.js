// Sources: a run's progress updates itself while it is under way, and files and folders can be dropped on the box
// of a file field.

import { filesOf } from "./dropped.js";

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
  const tooMany = box.querySelector("[data-too-many]");
  for (const kind of ["dragenter", "dragover"]) {
    box.addEventListener(kind, (event) => {
      event.preventDefault();
      box.classList.add("over");
    });
  }
  box.addEventListener("dragleave", () => box.classList.remove("over"));
  let dropped = null;
  input.addEventListener("change", () => input.files === dropped || namePaths([]));
  input.form.addEventListener("submit", (event) => isTooMany() && event.preventDefault());
  box.addEventListener("drop", async (event) => {
    event.preventDefault();
    box.classList.remove("over");
    // Nobody means to drop hidden files, such as .DS_Store.
    const found = (await filesOf(event.dataTransfer)).filter(({ path }) => !path.split("/").some((part) => part.startsWith(".")));
    const chosen = new DataTransfer();
    for (const { file } of found) chosen.items.add(file);
    dropped = chosen.files;
    input.files = dropped;
    namePaths(found.map(({ path }) => path));
    if (box.dataset.drop === "send" && found.length && !isTooMany()) input.form.requestSubmit();
  });

  // A browser sends only the names of files; the fields `path` also contain their folders.
  function namePaths(paths) {
    for (const old of box.querySelectorAll("[name=path]")) old.remove();
    box.append(...paths.map((value) => Object.assign(document.createElement("input"), { type: "hidden", name: "path", value })));
    isTooMany();
  }

  function isTooMany() {
    tooMany.hidden = input.files.length <= Number(box.dataset.most);
    return !tooMany.hidden;
  }
}

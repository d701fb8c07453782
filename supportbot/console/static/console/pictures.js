// Pictures in a text: pasted, dropped or chosen. The server re-encodes them. A notice says which file could not be
// added. It stays until it is dismissed or another file is added.

import { gettext } from "../desk/text.js";
import { inOwnParagraph } from "./blocks.js";

const PICTURES = ["image/png", "image/jpeg", "image/webp", "image/gif"];
const MOST_TAKEN_MB = 20; // the server's limit

/** Let people add pictures to a text; return the function that shows why one was not added. */
export function takePictures({ body, address, token, told, insert, hasStructure }) {
  const chooser = document.getElementById("picture-file");
  const notice = document.getElementById("not-taken");

  function take(event, files) {
    if (!files.length) return;
    event.preventDefault(); // otherwise the browser would open a dropped file instead of the page
    notice.hidden = true;
    for (const file of files) {
      const problem = problemOf(file);
      if (problem) refuse(problem, { isOther: !PICTURES.includes(file.type) });
      else store(file);
    }
  }

  function refuse(problem, { isOther = false } = {}) {
    document.getElementById("not-taken-why").textContent = problem;
    document.getElementById("not-taken-import").hidden = !isOther;
    notice.hidden = false;
  }

  async function store(file) {
    const before = told.textContent;
    told.textContent = gettext("Uploading the picture…");
    try {
      const fields = new FormData();
      fields.set("picture", file);
      const answer = await fetch(address, { method: "POST", headers: { Accept: "application/json", "X-CSRFToken": token }, body: fields });
      const stored = answer.redirected ? {} : await answer.json();
      if (stored.address) insert(body, inOwnParagraph(body, `![${wordsFor(file)}](${stored.address})`));
      else if (stored.message) refuse(`${file.name}: ${stored.message}`);
      else refuse(gettext("You have been logged out. Your text is kept in this browser. Reload the page and log in."));
    } catch {
      refuse(gettext("{name} could not be stored. Check your connection, then try again.", { name: file.name }));
    }
    told.textContent = before;
  }

  body.addEventListener("paste", (event) => {
    if (!hasStructure(event.clipboardData.getData("text/html"))) take(event, event.clipboardData.files);
  });
  // Listen on the whole page, because a file dropped next to the text would replace the page.
  document.addEventListener("dragover", (event) => event.dataTransfer.types.includes("Files") && event.preventDefault());
  document.addEventListener("drop", (event) => take(event, event.dataTransfer.files));
  document.getElementById("picture").addEventListener("click", () => chooser.click());
  chooser.addEventListener("change", (event) => {
    take(event, [...chooser.files]);
    chooser.value = "";
  });
  document.getElementById("not-taken-close").addEventListener("click", () => {
    notice.hidden = true;
    body.focus();
  });
  return refuse;
}

/** Return why a file cannot be put into a text; "" if it can. */
function problemOf({ name, type, size }) {
  if (type === "image/svg+xml") return gettext("{name} is an SVG drawing, which can contain scripts. Save it as PNG, then add it again.", { name });
  if (!PICTURES.includes(type)) return gettext("{name} is not a picture. Articles can contain PNG, JPEG, WebP and GIF pictures.", { name });
  if (size > MOST_TAKEN_MB * 1024 * 1024) return gettext("{name} is larger than {number} MB. Make it smaller, then add it again.", { name, number: MOST_TAKEN_MB });
  return "";
}

function wordsFor(file) {
  return file.name.replace(/\.\w+$/, "").replace(/[[\]\\]/g, "");
}

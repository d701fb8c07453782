// A button that copies the text of a field. It is hidden until this script can make it work.

import { gettext } from "../desk/text.js";

// A secret's page is the response to the form that created it: reloading it would create another secret.
const once = document.querySelector("[data-then]");
if (once) history.replaceState(null, "", once.dataset.then);

for (const button of document.querySelectorAll("[data-copy]")) {
  const field = document.getElementById(button.dataset.copy);
  const words = button.lastChild;
  button.hidden = false;
  button.addEventListener("click", async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      words.textContent = gettext("Copied");
    } catch {
      words.textContent = gettext("Press Ctrl+C"); // there is no clipboard without https, so the text is selected
    }
  });
}

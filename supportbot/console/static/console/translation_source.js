// The article that a translation was made from, chosen by its title. The form's field contains its id; the field itself
// is shown only without this script.

import { gettext } from "../desk/text.js";
import { findArticles, pickArticles } from "./picker.js";

export function chooseSource(form, address) {
  const field = form.elements.translation_of;
  const button = document.getElementById("choose-source");
  const none = document.getElementById("no-source");

  function show(title) {
    button.textContent = title || button.dataset.none;
    none.hidden = !field.value;
  }

  function set(id, title) {
    field.value = id;
    show(title);
  }

  async function name() {
    show(titleOfOption(field)); // show it at once if the page knows it
    const [source] = (field.value && (await findArticles(address, field.value))) || [];
    if (source?.id === field.value) show(source.title);
  }

  const nothing = gettext("No article in another language has these words in its title.");
  const picker = pickArticles("source-picker", { address, nothing, choose: ({ id, title }) => set(id, title) });
  button.addEventListener("click", picker.open);
  none.addEventListener("click", () => {
    set("", "");
    button.focus();
  });
  field.addEventListener("input", name); // unsaved values were restored
  field.hidden = true;
  document.getElementById("source").hidden = false;
  name();
}

function titleOfOption(field) {
  const known = [...field.list.options].find((option) => option.value === field.value);
  return known ? known.textContent : field.value;
}

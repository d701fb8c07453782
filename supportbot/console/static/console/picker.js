// A dialog in which an article is chosen by words in its title: for a link in the text, or as the source of a
// translation.

import { gettext } from "../desk/text.js";

const SEARCH_AFTER_MS = 200;

/** Prepare the dialog with this id; `choose` is called with the chosen article. Returns a function that opens it. */
export function pickArticles(id, { address, nothing, choose }) {
  const dialog = document.getElementById(id);
  const field = document.getElementById(`${id}-words`);
  const found = document.getElementById(`${id}-found`);
  let timer = 0;
  let asked = 0;

  async function look() {
    const mine = (asked += 1);
    const articles = await findArticles(address, field.value);
    if (mine !== asked) return; // responses may overtake each other
    if (articles) show(articles);
    else found.textContent = gettext("No response. Try again in a moment.");
  }

  function show(articles) {
    found.textContent = articles.length ? "" : nothing;
    for (const article of articles) {
      const choice = document.createElement("button");
      choice.type = "button";
      choice.className = "btn quiet";
      choice.dir = "auto";
      choice.textContent = article.title;
      choice.addEventListener("click", () => {
        dialog.close();
        choose(article);
      });
      if (article.locale) choice.append(languageOf(article.locale));
      found.append(choice);
    }
  }

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, SEARCH_AFTER_MS);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // otherwise, Enter would close the dialog
    found.querySelector("button")?.click();
  });
  return {
    open() {
      dialog.showModal();
      field.value = "";
      field.focus();
      look();
    },
  };
}

/** Return the articles for these words, or null if the server did not answer. */
export async function findArticles(address, words) {
  const asked = new URL(address, location.href);
  asked.searchParams.set("q", words);
  try {
    const answer = await fetch(asked);
    return answer.ok && !answer.redirected ? (await answer.json()).articles : null;
  } catch {
    return null;
  }
}

function languageOf(locale) {
  const told = document.createElement("span");
  told.className = "sub";
  told.textContent = locale;
  return told;
}

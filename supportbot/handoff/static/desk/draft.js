// The assistant's draft: asked for, shown with its sources, and inside the field only once it was inserted.

import { byId, csrfToken, el } from "./dom.js";

export class Draft {
  constructor(composer, ticket) {
    this.composer = composer;
    this.address = `${document.body.dataset.desk}tickets/${ticket}/draft.json`;
    this.card = byId("draft");
    this.text = "";
    const button = document.querySelector("[data-draft]");
    button.hidden = !composer.mayReply;
    button.addEventListener("click", () => this.ask());
    this.card.querySelector("[data-insert]").addEventListener("click", () => this.insert());
    this.card.querySelector("[data-dismiss]").addEventListener("click", () => this.dismiss());
  }

  /** Insert the draft if there is one, or else ask for it. */
  askOrInsert() {
    if (this.text) this.insert();
    else this.ask();
  }

  async ask() {
    if (!this.composer.mayReply || this.isAsking) return;
    this.isAsking = true;
    this.composer.setMode("reply");
    this.#show("Reading our articles", "", []);
    try {
      const answer = await fetch(this.address, { method: "POST", headers: { "X-CSRFToken": csrfToken() } });
      const found = await answer.json();
      if (answer.ok) this.#show(fromWhat(found), found.text, found.sources);
      else this.#show(found.message, "", []);
    } catch {
      this.#show("The draft could not be asked for: try again in a moment.", "", []);
    } finally {
      this.isAsking = false;
    }
  }

  insert() {
    if (!this.text) return;
    this.composer.setMode("reply");
    this.composer.insert(this.text);
    this.dismiss();
  }

  dismiss() {
    this.text = "";
    this.card.hidden = true;
    this.composer.field.focus();
  }

  #show(words, text, sources) {
    this.text = text;
    this.card.hidden = false;
    const links = sources.flatMap(({ title, url }, place) => [place ? ", " : " ", linkTo(title, url)]);
    this.card.querySelector("[data-from]").replaceChildren(words, ...links);
    this.card.querySelector("[data-text]").textContent = text;
    this.card.querySelector("[data-insert]").hidden = !text;
  }
}

function fromWhat({ sources, by }) {
  const who = by === "builtin" ? "quoted word for word" : "written by the model";
  return sources.length ? `${who}, from` : `${who}, without a source: check it`;
}

function linkTo(title, url) {
  const isWeb = /^(https?:\/\/|\/(?!\/))/.test(url);
  return isWeb ? el("a", { href: url, dir: "auto", target: "_blank", rel: "noopener" }, title) : title;
}

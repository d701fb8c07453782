// The assistant's draft: asked for, shown with its sources, and inside the field only once it was inserted. What is
// doubtful in it stays in sight while it is corrected.

import { byId, csrfToken, el } from "./dom.js";

export class Draft {
  constructor(composer, ticket) {
    this.composer = composer;
    this.address = `${document.body.dataset.desk}tickets/${ticket}/draft.json`;
    this.card = byId("draft");
    this.text = "";
    this.doubts = [];
    const button = document.querySelector("[data-draft]");
    button.hidden = !composer.mayReply;
    button.addEventListener("click", () => this.ask());
    this.card.querySelector("[data-insert]").addEventListener("click", () => this.insert());
    this.card.querySelector("[data-dismiss]").addEventListener("click", () => this.dismiss());
    composer.onSent = () => this.#forgetInserted();
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
    this.#show("Reading our articles");
    try {
      const answer = await fetch(this.address, { method: "POST", headers: { "X-CSRFToken": csrfToken() } });
      const found = await answer.json();
      if (answer.ok) this.#show(fromWhat(found), found);
      else this.#show(found.message);
    } catch {
      this.#show("The draft could not be asked for: try again in a moment.");
    } finally {
      this.isAsking = false;
    }
  }

  insert() {
    if (!this.text) return;
    this.composer.setMode("reply");
    this.composer.insert(this.text);
    if (this.doubts.length) this.#keepDoubts();
    else this.dismiss();
  }

  dismiss() {
    this.#hide();
    this.composer.field.focus();
  }

  #hide() {
    this.text = "";
    this.card.hidden = true;
  }

  /** What was inserted has been sent, so its doubts are done with; a draft that waits stays. */
  #forgetInserted() {
    if (!this.text && !this.isAsking) this.#hide();
  }

  #keepDoubts() {
    this.text = "";
    this.card.querySelector("[data-from]").textContent = "is in the field";
    this.card.querySelector("[data-text]").textContent = "";
    this.card.querySelector("[data-insert]").hidden = true;
  }

  #show(words, { text = "", sources = [], doubts = [] } = {}) {
    this.text = text;
    this.doubts = doubts;
    this.card.hidden = false;
    const links = sources.flatMap(({ title, url }, place) => [place ? ", " : " ", linkTo(title, url)]);
    this.card.querySelector("[data-from]").replaceChildren(words, ...links);
    this.card.querySelector("[data-text]").textContent = text;
    this.card.querySelector("[data-doubts]").replaceChildren(...listOf(text, doubts));
    this.card.querySelector("[data-insert]").hidden = !text;
  }
}

/** Return what to check before sending, each sentence with the reason. */
function listOf(text, doubts) {
  if (!doubts.length) return [];
  const characters = [...text]; // places are counted in characters, as the server counts them
  const lines = doubts.map(({ start, end, why }) =>
    el("li", {}, el("q", { dir: "auto" }, characters.slice(start, end).join("")), `: ${why}`),
  );
  return [el("b", {}, "Check before sending"), el("ul", {}, ...lines)];
}

function fromWhat({ sources, by }) {
  const who = by === "builtin" ? "quoted word for word" : "written by the model";
  return sources.length ? `${who}, from` : `${who}, without a source: check it`;
}

function linkTo(title, url) {
  const isWeb = /^(https?:\/\/|\/(?!\/))/.test(url);
  return isWeb ? el("a", { href: url, dir: "auto", target: "_blank", rel: "noopener" }, title) : title;
}

// The assistant's draft: shown with its sources, and put into the field only when inserted. Doubtful sentences stay visible
// while the agent edits.

import { byId, csrfToken, el } from "./dom.js";
import { gettext } from "./text.js";

export class Draft {
  constructor(composer, ticket) {
    this.composer = composer;
    this.address = `${document.body.dataset.desk}tickets/${ticket}/draft.json`;
    this.card = byId("draft");
    this.text = "";
    this.doubts = [];
    document.querySelector("[data-draft]").addEventListener("click", () => this.request());
    this.card.querySelector("[data-insert]").addEventListener("click", () => this.insert());
    this.card.querySelector("[data-dismiss]").addEventListener("click", () => this.dismiss());
    composer.onSent = () => this.#forgetInserted();
  }

  /** Insert the draft if there is one, otherwise request one. */
  insertOrRequest() {
    if (this.text) this.insert();
    else this.request();
  }

  async request() {
    if (!this.composer.mayReply || this.isAsking) return;
    this.isAsking = true;
    this.composer.setMode("reply");
    this.#show(gettext("Searching our articles"));
    try {
      const answer = await fetch(this.address, { method: "POST", headers: { "X-CSRFToken": csrfToken() } });
      const found = await answer.json();
      if (answer.ok) this.#show(originOf(found), found);
      else this.#show(found.message);
    } catch {
      this.#show(gettext("The draft could not be loaded. Try again in a moment."));
    } finally {
      this.isAsking = false;
    }
  }

  insert() {
    if (!this.text) return;
    this.composer.setMode("reply");
    this.composer.insertApart(this.text);
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

  /** Remove the doubts of an inserted draft after the reply has been sent; a pending draft stays. */
  #forgetInserted() {
    if (!this.text && !this.isAsking) this.#hide();
  }

  #keepDoubts() {
    this.text = "";
    this.card.querySelector("[data-from]").textContent = gettext("inserted into the reply");
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
    this.card.querySelector("[data-doubts]").replaceChildren(...doubtList(text, doubts));
    this.card.querySelector("[data-insert]").hidden = !text;
  }
}

/** Return the list of sentences to check before sending, each with its reason. */
function doubtList(text, doubts) {
  if (!doubts.length) return [];
  const characters = [...text]; // positions count code points, as on the server
  const lines = doubts.map(({ start, end, why }) =>
    el("li", {}, el("q", { dir: "auto" }, characters.slice(start, end).join("")), `: ${why}`),
  );
  return [el("b", {}, gettext("Check before sending")), el("ul", {}, ...lines)];
}

function originOf({ sources, by }) {
  if (by === "builtin") {
    return sources.length ? gettext("quoted from") : gettext("quoted, without sources. Check it before you send it.");
  }
  return sources.length
    ? gettext("written by the model, from")
    : gettext("written by the model, without sources. Check it before you send it.");
}

function linkTo(title, url) {
  const isWeb = /^(https?:\/\/|\/(?!\/))/.test(url);
  return isWeb ? el("a", { href: url, dir: "auto", target: "_blank", rel: "noopener" }, title) : title;
}

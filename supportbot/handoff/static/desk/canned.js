// Canned replies: type `/` and parts of words, then Enter. The server finds matching replies and fills them in.

import { byId, el } from "./dom.js";
import { gettext } from "./text.js";

const SLASH = /(?:^|\s)\/(?!\s)([^/\n]{0,40})$/;

export class Canned {
  constructor(composer, ticket) {
    this.composer = composer;
    this.field = composer.field;
    this.address = `${document.body.dataset.desk}tickets/${ticket}/canned.json`;
    this.box = byId("canned");
    this.list = byId("canned-list");
    this.found = [];
    this.chosen = 0;
    this.field.setAttribute("aria-autocomplete", "list");
    this.field.setAttribute("aria-controls", "canned-list");
    this.field.addEventListener("input", () => this.#search());
    this.field.addEventListener("keydown", (event) => this.#key(event));
    this.field.addEventListener("blur", () => setTimeout(() => this.close(), 150));
    const button = document.querySelector("[data-canned]");
    button.hidden = !composer.mayReply;
    button.addEventListener("click", () => this.open());
  }

  get isOpen() {
    return !this.box.hidden;
  }

  /** Open the list as if a slash had been typed. */
  open() {
    if (!this.composer.mayReply) return;
    this.composer.setMode("reply");
    const before = this.field.value.slice(0, this.field.selectionStart);
    this.inserted = !before || /\s$/.test(before) ? "/" : " /";
    this.composer.insert(this.inserted);
    this.#search();
  }

  close() {
    this.box.hidden = true;
    this.field.removeAttribute("aria-activedescendant");
    this.inserted = "";
  }

  /** Close the list, and remove the slash if a key or the button inserted it and nothing was typed after it. */
  #cancel() {
    const { inserted, field } = this;
    const end = field.selectionStart;
    this.close();
    if (!inserted || this.#query() !== "" || !field.value.slice(0, end).endsWith(inserted)) return;
    this.composer.insert("", { from: end - inserted.length, to: end });
  }

  async #search() {
    const query = this.composer.mode === "reply" ? this.#query() : null;
    if (query === null) return this.close();
    const answer = await fetch(`${this.address}?q=${encodeURIComponent(query)}`);
    if (!answer.ok || this.#query() !== query) return undefined;
    this.found = (await answer.json()).replies;
    if (!this.found.length && /\s/.test(query)) return this.close(); // a sentence with a slash in it
    this.chosen = 0;
    byId("canned-words").textContent = this.found.length ? `/${query}` : gettext("/{query}: no matching reply", { query });
    this.list.replaceChildren(...this.found.map((reply, place) => this.#option(reply, place)));
    this.box.hidden = false;
    return this.#mark();
  }

  /** Return the text between the slash and the cursor; null if there is no slash. */
  #query() {
    return SLASH.exec(this.field.value.slice(0, this.field.selectionStart))?.[1] ?? null;
  }

  #option(reply, place) {
    const option = el("li", { role: "option", id: `canned-${place}` },
      el("b", { dir: "auto" }, reply.title), el("span", { dir: "auto" }, reply.text));
    option.addEventListener("mousedown", (event) => {
      event.preventDefault();
      this.chosen = place;
      this.#insert();
    });
    return option;
  }

  #mark() {
    for (const [place, option] of [...this.list.children].entries()) {
      option.setAttribute("aria-selected", String(place === this.chosen));
    }
    if (this.found.length) this.field.setAttribute("aria-activedescendant", `canned-${this.chosen}`);
  }

  #key(event) {
    const isOver = event.key === "Escape" && (this.isOpen || this.inserted); // the list may not have arrived yet
    if (!this.isOpen && !isOver) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.found.length) {
      this.chosen = (this.chosen + step + this.found.length) % this.found.length;
      this.#mark();
    } else if (event.key === "Enter" && !event.ctrlKey && this.found.length) {
      this.#insert();
    } else if (isOver) {
      this.#cancel();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  #insert() {
    const end = this.field.selectionStart;
    const start = end - (this.#query()?.length ?? 0) - 1;
    this.composer.insert(this.found[this.chosen].text, { from: start, to: end });
    this.close();
  }
}

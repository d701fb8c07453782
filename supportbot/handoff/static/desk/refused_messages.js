// Refused messages: shown on every page until their text is back in its field or has been dismissed.

import { announce, byId, el, icon } from "./dom.js";
import { gettext } from "./text.js";
import { addTyped, joined } from "./unsent_text.js";

const WHAT = {
  reply: (name) => gettext("Your reply to {name} was not sent.", { name }),
  note: (name) => gettext("Your note about {name} was not saved.", { name }),
};

export class Refused {
  constructor() {
    this.kept = `desk:${document.body.dataset.user}:refused`;
    this.all = JSON.parse(sessionStorage.getItem(this.kept) ?? "[]");
    this.#draw();
  }

  /** Store and announce refused text; text of the same conversation and kind is appended. */
  add({ conversation, ticket, who, type, text, why }) {
    const known = this.all.find((one) => one.conversation === conversation && one.type === type);
    if (known) Object.assign(known, { text: joined(known.text, text), why });
    else this.all.push({ conversation, ticket, who, type, text, why });
    this.#changed();
    announce(`${WHAT[type](who)} ${why}`);
  }

  /** Remove and return a conversation's refused texts of these kinds. */
  take(conversation, types) {
    const taken = this.all.filter((one) => one.conversation === conversation && types.includes(one.type));
    this.all = this.all.filter((one) => !taken.includes(one));
    this.#changed();
    return taken;
  }

  #dismiss(one) {
    addTyped(one.conversation, one.type, one.text);
    this.all = this.all.filter((other) => other !== one);
    this.#changed();
    byId("content").focus();
  }

  #changed() {
    sessionStorage.setItem(this.kept, JSON.stringify(this.all));
    this.#draw();
  }

  #draw() {
    byId("refused").hidden = !this.all.length;
    byId("refused").replaceChildren(...this.all.map((one) => this.#notice(one)));
  }

  #notice(one) {
    const away = { "aria-label": gettext("Dismiss"), title: gettext("Dismiss and keep the text in its field") };
    const button = el("button", { type: "button", class: "btn quiet sm icon", ...away }, icon("close", "s"));
    button.addEventListener("click", () => this.#dismiss(one));
    const link = one.ticket && el("a", { href: `${document.body.dataset.desk}tickets/${one.ticket}/` }, gettext("Open the conversation"));
    const words = el("q", { class: "said", dir: "auto" }, one.text);
    return el("div", { class: "notice bad" }, icon("alert"),
      el("div", {}, el("p", {}, el("strong", {}, WHAT[one.type](one.who)), ` ${one.why} `, link), words), button);
  }
}

/** The message field: it grows to six lines, Enter sends the message, and its button also stops an answer. */

import { h, icon, set } from "./dom.js";

export class Composer {
  constructor(chat) {
    this.chat = chat;
    const file = (name) => (event) => {
      if (!event[name].files.length) return;
      event.preventDefault();
      this.refuse(chat.t("noFiles"));
    };
    this.input = h("textarea.w-input", { rows: "1", dir: "auto", onkeydown: (event) => this.#key(event), oninput: () => this.#typed(), onpaste: file("clipboardData") });
    this.go = h("button.w-send", { onclick: () => (this.isStop ? chat.connection.send({ type: "stop" }) : this.#send()) });
    this.note = h("p.w-note", { id: "sb-note" });
    this.node = h("div.w-field", { part: "composer", ondragover: (event) => event.preventDefault(), ondrop: file("dataTransfer") }, this.input, this.go);
  }

  set text(text) {
    this.input.value = text;
    this.chat.session.keepForTab({ draft: text });
    this.#button();
  }

  update(placeholder, isWriting) {
    this.input.placeholder = placeholder;
    this.input.ariaLabel = this.chat.t("message");
    this.isWriting = isWriting;
    this.#button();
  }

  /** Show next to the field why something was not accepted. */
  refuse(text) {
    this.note.textContent = text;
    set(this.input, "aria-describedby", text ? this.note.id : false);
    this.chat.view.announcer.status(text);
  }

  #key(event) {
    // While an input method composes a word, Enter picks the word.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#send();
  }

  #typed() {
    this.refuse("");
    this.text = this.input.value;
  }

  #send() {
    // The server refuses control characters, which may be in pasted text, and texts without visible characters.
    const text = this.input.value.replace(/[^\P{Cc}\n]/gu, " ").trim();
    const { chat } = this;
    if (chat.isTooLong(text)) this.refuse(chat.t("tooLong", { n: chat.longest }));
    else if (text.replace(/\p{DI}/gu, "").trim()) {
      this.text = "";
      chat.send(text);
    }
  }

  /** The button sends what was typed; without any text, it stops the answer being written. */
  #button() {
    const hasText = this.input.value.replace(/\p{DI}/gu, "").trim();
    this.isStop = this.isWriting && !hasText;
    const does = this.isStop ? "stop" : "send";
    this.go.replaceChildren(icon(does));
    this.go.className = `w-send ${does}`;
    this.go.disabled = !this.isWriting && !hasText;
    this.go.ariaLabel = this.chat.t(does);
  }
}

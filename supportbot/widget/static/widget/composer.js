/** The field one writes in: grows to six lines, Enter sends, and the same place stops an answer that is being written. */

import { button, h, icon } from "./dom.js";

const LINES = 6;

export class Composer {
  /** @param {{say: Function, send: (text: string) => void, stop: () => void, typing: () => void, draft: (text: string) => void, file: () => void}} chat */
  constructor(chat) {
    this.chat = chat;
    this.input = h("textarea", { class: "w-input", rows: "1", dir: "auto", enterkeyhint: "send", onkeydown: (event) => this.#key(event), oninput: () => this.#typed(), onpaste: (event) => this.#file(event, event.clipboardData) });
    this.go = button("w-send", () => this.#pressed(), icon("send"));
    this.note = h("p", { class: "w-note", id: "sb-note", hidden: true });
    this.node = h("div", { class: "w-field", part: "composer", ondragover: (event) => event.preventDefault(), ondrop: (event) => this.#file(event, event.dataTransfer) }, this.input, this.go);
    this.update({ placeholder: "ask" });
  }

  get text() {
    return this.input.value;
  }

  set text(text) {
    this.input.value = text;
    this.#fit();
  }

  /** Bring words and button up to date; `isWriting` makes of it a stop. */
  update({ placeholder, gaps, isWriting = false, limit }) {
    const { say } = this.chat;
    this.input.placeholder = say(placeholder, gaps);
    this.input.setAttribute("aria-label", say("message"));
    if (limit) this.input.maxLength = limit;
    this.isWriting = isWriting;
    this.#button();
  }

  focus() {
    this.input.focus({ preventScroll: true });
  }

  /** Say why something was not taken, beside the field it belongs to. */
  refuse(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
    if (text) this.input.setAttribute("aria-describedby", this.note.id);
    else this.input.removeAttribute("aria-describedby");
  }

  #key(event) {
    // While an input method composes a word, Enter chooses the word.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.#send();
  }

  #typed() {
    this.refuse("");
    this.#fit();
    this.chat.draft(this.text);
    this.chat.typing();
  }

  #pressed() {
    if (this.isStop) this.chat.stop();
    else this.#send();
  }

  #send() {
    const text = this.text.trim();
    if (!text) return;
    this.text = "";
    this.chat.draft("");
    this.chat.send(text);
  }

  #file(event, transfer) {
    const files = transfer ? transfer.files.length : 0;
    if (!files) return;
    event.preventDefault();
    this.chat.file();
  }

  /** With a next question typed, the button sends it; else it stops what is being written. */
  #button() {
    const { say } = this.chat;
    const hasText = Boolean(this.text.trim());
    this.isStop = this.isWriting && !hasText;
    this.go.replaceChildren(icon(this.isStop ? "stop" : "send"));
    this.go.classList.toggle("stop", this.isStop);
    this.go.setAttribute("aria-label", say(this.isStop ? "stop" : "send"));
    this.go.disabled = !this.isStop && !hasText;
  }

  #fit() {
    const { style } = this.input;
    style.blockSize = "auto";
    const line = parseFloat(getComputedStyle(this.input).lineHeight) || 24;
    style.blockSize = `${Math.min(this.input.scrollHeight, line * LINES + 12)}px`;
    this.#button();
  }
}

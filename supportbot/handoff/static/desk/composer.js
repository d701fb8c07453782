// Writing: a reply or a note, never mistaken for one another; nothing typed is lost, nothing is sent twice.

import { byId } from "./dom.js";
import { addTyped, keepTyped, typed } from "./typed.js";

const TYPING_EVERY = 2_000;
const IDLE_AFTER = 5_000;

export class Composer {
  constructor(socket, outbox, thread, desk) {
    this.form = byId("composer");
    this.field = byId("text");
    Object.assign(this, { socket, outbox, thread });
    this.conversation = desk.dataset.conversation;
    this.ticket = desk.dataset.ticket;
    this.who = document.querySelector(".c-h h1").textContent;
    this.mayReply = this.form.dataset.mayReply === "yes";
    this.most = Number(this.form.dataset.most);
    this.asked = new Map();
    this.#prepare();
    this.#prepareOutbox();
    this.setMode(this.form.dataset.mode);
    this.#takeWhatWasRefused();
  }

  /** Switch between reply and note; each keeps its own words. */
  setMode(mode) {
    if (mode === "reply" && !this.mayReply) return;
    if (this.mode) this.#remember();
    this.mode = mode;
    if (!this.field.value || this.hasOpened) this.field.value = typed(this.conversation, mode);
    this.hasOpened = true;
    this.form.classList.toggle("note-mode", mode === "note");
    for (const button of byId("modes").children) {
      button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
      button.hidden = button.dataset.mode === "reply" && !this.mayReply;
    }
    for (const button of this.form.querySelectorAll("[data-submit]")) button.hidden = button.dataset.submit !== mode;
    this.#label();
  }

  /** Put words where the cursor is. */
  insert(text, { from = this.field.selectionStart, to = this.field.selectionEnd } = {}) {
    this.field.setRangeText(text, from, to, "end");
    this.field.focus();
    this.#remember();
  }

  focus(mode) {
    this.setMode(mode);
    this.field.focus();
  }

  /** Send what stands in the field; resolve to whether it was stored. */
  send() {
    const text = this.field.value.trim();
    if (!text || this.#isTooLong(text)) return Promise.resolve(false);
    const message = { type: this.mode, conversation: this.conversation, client_id: newId(), text };
    this.#complain("");
    this.field.value = "";
    this.#remember();
    this.thread.addWaiting(message);
    this.onSent?.();
    if (!this.outbox.send(message, this)) this.thread.markWaiting(message.client_id);
    return new Promise((resolve) => this.asked.set(message.client_id, resolve));
  }

  /** The server's limit, kept before the line: a frame that is too big comes back without its id. */
  #isTooLong(text) {
    const { length } = [...text];
    const isOver = length > this.most;
    if (isOver) this.#complain(`Not sent. It has ${length} characters, at most ${this.most} fit. Send it in parts.`);
    return isOver;
  }

  #prepare() {
    byId("modes").hidden = false;
    for (const button of byId("modes").children) button.addEventListener("click", () => this.focus(button.dataset.mode));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.field.addEventListener("input", () => {
      this.#remember();
      this.#sayTyping();
    });
  }

  #prepareOutbox() {
    const mark = () => this.outbox.messagesFor(this.conversation).forEach((one) => this.thread.markWaiting(one.client_id));
    for (const message of this.outbox.messagesFor(this.conversation)) this.thread.addWaiting(message);
    mark();
    this.socket.on("lost", mark);
    this.outbox.onStored = ({ client_id: id, seq }) => {
      if (seq <= this.thread.seq) this.thread.dropWaiting(id); // stored before this page was loaded
      this.#answer(id, true);
    };
    this.outbox.onRefused = (message, error) => this.#hear(message, error);
  }

  #answer(clientId, isStored) {
    this.asked.get(clientId)?.(isStored);
    this.asked.delete(clientId);
  }

  /** Take refused words back; return whether this page has a field for them. */
  #hear(message, error) {
    this.#answer(message.client_id, false);
    if (message.conversation !== this.conversation) return false;
    this.thread.dropWaiting(message.client_id);
    if (!this.#kinds.includes(message.type)) return false;
    this.#takeBack(message, error.message);
    return true;
  }

  /** What was refused while another page was open comes back with this one. */
  #takeWhatWasRefused() {
    for (const { type, text, why } of this.outbox.refused.take(this.conversation, this.#kinds)) {
      this.setMode(type);
      this.#takeBack({ type, text }, why);
    }
  }

  /** Put refused words behind what was typed since; whoever writes on is not moved. */
  #takeBack({ type, text }, why) {
    if (type !== this.mode) {
      addTyped(this.conversation, type, text);
      this.#complain(type === "note" ? `Your note was not stored: it is under Note. ${why}` : `Your reply was not sent: it is under Reply. ${why}`);
      return;
    }
    const { field } = this;
    const end = field.value.length;
    field.setRangeText(end ? `\n${text}` : text, end, end, end ? "preserve" : "end");
    this.#remember();
    this.#complain(`Not sent. ${why}`);
  }

  get #kinds() {
    return this.mayReply ? ["reply", "note"] : ["note"];
  }

  #complain(words) {
    byId("not-sent").textContent = words;
    byId("not-sent").hidden = !words;
  }

  #remember() {
    keepTyped(this.conversation, this.mode, this.field.value);
  }

  #label() {
    for (const label of this.form.querySelectorAll("[data-for]")) label.hidden = label.dataset.for !== this.mode;
    this.form.querySelector("[data-for=reply]").textContent = `Reply to ${this.who}`;
    this.form.querySelector("[data-for=note]").textContent = "Note, only your team sees this";
    this.field.placeholder = this.mode === "reply" ? "Type / for canned replies" : "";
  }

  #sayTyping() {
    clearTimeout(this.idle);
    this.idle = setTimeout(() => this.#tellTyping("reading"), IDLE_AFTER);
    if (Date.now() - (this.toldAt ?? 0) < TYPING_EVERY) return;
    this.toldAt = Date.now();
    this.#tellTyping(this.mode);
  }

  #tellTyping(kind) {
    if (this.socket.isLive) this.socket.send({ type: "typing", conversation: this.conversation, kind });
  }
}

/** Return an id of one's own; `crypto.randomUUID` exists on secure pages only, and the desk may run without. */
function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

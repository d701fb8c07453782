// The composer for replies and notes, which are kept apart; no text is lost and nothing is sent twice.

import { byId } from "./dom.js";
import { gettext } from "./text.js";
import { addTyped, keepTyped, typed } from "./unsent_text.js";

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
    this.pending = new Map();
    this.#prepare();
    this.#prepareOutbox();
    this.setMode(this.form.dataset.mode);
    this.#restoreRefused();
  }

  /** Switch between reply and note; each keeps its own text. */
  setMode(mode) {
    if (mode === "reply" && !this.mayReply) return;
    if (this.mode) this.#remember();
    this.mode = mode;
    if (!this.field.value || this.hasOpened) this.field.value = typed(this.conversation, mode);
    else keepTyped(this.conversation, mode, this.field.value); // a refused form contains its text; a reload would not
    this.hasOpened = true;
    this.form.classList.toggle("note-mode", mode === "note");
    for (const button of byId("modes").children) {
      button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
      button.hidden = button.dataset.mode === "reply" && !this.mayReply;
    }
    for (const button of this.form.querySelectorAll("[data-submit]")) button.hidden = button.dataset.submit !== mode;
    this.form.querySelector("[data-draft]").hidden = mode !== "reply"; // a draft is a reply to the customer
    this.#label();
  }

  /** Insert text at the cursor. */
  insert(text, { from = this.field.selectionStart, to = this.field.selectionEnd } = {}) {
    this.field.setRangeText(text, from, to, "end");
    this.field.focus();
    this.#remember();
  }

  /** Insert a text with a blank line between it and what is typed before and after it. */
  insertApart(text) {
    const { value, selectionStart, selectionEnd } = this.field;
    const before = value.slice(0, selectionStart);
    const after = value.slice(selectionEnd);
    this.insert(missingBreaks(/\n*$/, before) + text + missingBreaks(/^\n*/, after));
  }

  focus(mode) {
    this.setMode(mode);
    this.field.focus();
  }

  /** Send the text in the field; resolve to whether it was stored. */
  send() {
    const text = this.field.value.trim();
    if (!text || this.#isTooLong(text)) return Promise.resolve(false);
    const message = { type: this.mode, conversation: this.conversation, client_id: newId(), text };
    this.#showError("");
    this.field.value = "";
    this.#remember();
    this.thread.addWaiting(message);
    this.onSent?.();
    if (!this.outbox.send(message, this)) this.thread.markWaiting(message.client_id);
    return new Promise((resolve) => this.pending.set(message.client_id, resolve));
  }

  /** Check the server's limit here: the refusal of an oversized frame does not contain its id. */
  #isTooLong(text) {
    const { length } = [...text];
    const isOver = length > this.most;
    const figures = { limit: this.most, length };
    const told = gettext("Not sent. The limit is {limit} characters, and this text has {length}. Split it into several messages.", figures);
    if (isOver) this.#showError(told);
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
      this.#reportTyping();
    });
  }

  #prepareOutbox() {
    const mark = () => this.outbox.messagesFor(this.conversation).forEach((one) => this.thread.markWaiting(one.client_id));
    for (const message of this.outbox.messagesFor(this.conversation)) this.thread.addWaiting(message);
    mark();
    this.socket.on("lost", mark);
    this.outbox.onStored = ({ client_id: id, seq }) => {
      if (seq <= this.thread.seq) this.thread.dropWaiting(id); // stored before this page was loaded
      this.#settle(id, true);
    };
    this.outbox.onRefused = (message, error) => this.#onRefused(message, error);
  }

  #settle(clientId, isStored) {
    this.pending.get(clientId)?.(isStored);
    this.pending.delete(clientId);
  }

  /** Put refused text back; return whether this page has a field for it. */
  #onRefused(message, error) {
    this.#settle(message.client_id, false);
    if (message.conversation !== this.conversation) return false;
    this.thread.dropWaiting(message.client_id);
    if (!this.#kinds.includes(message.type)) return false;
    this.#restore(message, error.message);
    return true;
  }

  /** Restore text that was refused while another page was open. */
  #restoreRefused() {
    for (const { type, text, why } of this.outbox.refused.take(this.conversation, this.#kinds)) {
      this.setMode(type);
      this.#restore({ type, text }, why);
    }
  }

  /** Append refused text to what was typed since, without moving the cursor. */
  #restore({ type, text }, why) {
    if (type !== this.mode) {
      addTyped(this.conversation, type, text);
      const told = type === "note"
        ? gettext("Your note was not saved. Its text is still under Note. {why}", { why })
        : gettext("Your reply was not sent. Its text is still under Reply. {why}", { why });
      this.#showError(told);
      return;
    }
    const { field } = this;
    const end = field.value.length;
    field.setRangeText(end ? `\n${text}` : text, end, end, end ? "preserve" : "end");
    this.#remember();
    this.#showError(gettext("Not sent. {why}", { why }));
  }

  get #kinds() {
    return this.mayReply ? ["reply", "note"] : ["note"];
  }

  #showError(text) {
    byId("not-sent").textContent = text;
    byId("not-sent").hidden = !text;
  }

  #remember() {
    keepTyped(this.conversation, this.mode, this.field.value);
  }

  #label() {
    for (const label of this.form.querySelectorAll("[data-for]")) label.hidden = label.dataset.for !== this.mode;
    this.form.querySelector("[data-for=reply]").textContent = gettext("Reply to {name}", { name: this.who });
    this.form.querySelector("[data-for=note]").textContent = gettext("Note: only your team sees this");
    this.field.placeholder = this.mode === "reply" ? gettext("Type / for canned replies") : "";
  }

  #reportTyping() {
    clearTimeout(this.idle);
    this.idle = setTimeout(() => this.#sendTyping("reading"), IDLE_AFTER);
    if (Date.now() - (this.reportedAt ?? 0) < TYPING_EVERY) return;
    this.reportedAt = Date.now();
    this.#sendTyping(this.mode);
  }

  #sendTyping(kind) {
    if (this.socket.isLive) this.socket.send({ type: "typing", conversation: this.conversation, kind });
  }
}

/** Return a random id; `crypto.randomUUID` needs a secure page, and the desk may run without TLS. */
function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Return the line breaks that a text needs to have a blank line at its edge; none for an empty text. */
function missingBreaks(edge, text) {
  return text.trim() ? "\n".repeat(Math.max(0, 2 - edge.exec(text)[0].length)) : "";
}

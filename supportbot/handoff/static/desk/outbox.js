// Messages that are sent but not stored yet: kept in this tab across pages and sent again until they are acknowledged.

import { gettext } from "./text.js";

export class Outbox {
  constructor(socket, refused) {
    Object.assign(this, { socket, refused });
    this.kept = `desk:${document.body.dataset.user}:outbox`; // per user: another person in this tab must not send them
    this.waiting = new Map(JSON.parse(sessionStorage.getItem(this.kept) ?? "[]").map(complete));
    this.onStored = () => {};
    this.onRefused = () => false;
    socket.on("live", () => this.waiting.forEach(({ message }) => socket.send(message)));
    socket.on("ack", (ack) => this.#settle(ack.client_id) && this.onStored(ack));
    socket.on("error", (error) => error.client_id && this.#refuse(error));
  }

  /** Store a message with its ticket and send it. Return whether it was sent. */
  send(message, { ticket, who }) {
    this.waiting.set(message.client_id, { message, ticket, who });
    this.#keep();
    return this.socket.isLive && this.socket.send(message);
  }

  /** Return the messages for a conversation that are not stored yet, oldest first. */
  messagesFor(conversation) {
    return [...this.waiting.values()].map((one) => one.message).filter((one) => one.conversation === conversation);
  }

  /** Give the text of a refused message back to the agent. */
  #refuse(error) {
    const sent = this.#settle(error.client_id);
    if (!sent || this.onRefused(sent.message, error)) return;
    const { ticket, who, message } = sent;
    this.refused.add({ ...message, ticket, who, why: error.message });
  }

  #settle(clientId) {
    const settled = this.waiting.get(clientId);
    this.waiting.delete(clientId);
    this.#keep();
    return settled;
  }

  #keep() {
    sessionStorage.setItem(this.kept, JSON.stringify([...this.waiting]));
  }
}

/** Messages stored by an older version contain neither a customer nor a ticket. */
function complete([id, { message, ticket = "", who = gettext("the customer") }]) {
  return [id, { message, ticket, who }];
}

// Reloads the parts around the conversation (owner, summary, actions, activity) from the server when they have changed.

import { showOrders } from "./context.js";
import { localise } from "./times.js";

const DELAY = 400;

export class Refresh {
  constructor(socket, { conversation, ticket }) {
    this.reads = this.shown = 0;
    socket.on("live", () => this.#onLive());
    socket.on("event", (frame) => frame.conversation === conversation && frame.event !== "read" && this.#schedule(frame.event));
    socket.on("ticket", ({ row }) => row.ticket === ticket && this.#schedule()); // snoozing has no event
  }

  /** Reload after a reconnect: events may have been missed. */
  #onLive() {
    if (this.hasBeenLive) this.#schedule();
    this.hasBeenLive = true;
  }

  /** Reload once for several events in quick succession. */
  #schedule(event) {
    this.asksOrders ||= event === "action.succeeded";
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#reload(), DELAY);
  }

  async #reload() {
    const read = ++this.reads;
    const text = await fetchPage();
    if (!text || read < this.shown) return; // a later request was faster
    this.shown = read;
    const page = new DOMParser().parseFromString(text, "text/html");
    for (const old of document.querySelectorAll("[data-fresh]")) replace(old, page.getElementById(old.id));
    if (this.asksOrders) showOrders();
    this.asksOrders = false;
  }
}

/** Return a page's current HTML, or nothing if it cannot be loaded: the caller tries again later. */
export async function fetchPage(address = location.pathname) {
  const answer = await fetch(address).catch(() => null);
  return answer?.ok && !answer.redirected ? answer.text().catch(() => "") : "";
}

/** Replace a part unless it is unchanged or in use. */
function replace(old, found) {
  if (!found || old.contains(document.activeElement) || old.querySelector("details[open]")) return;
  const made = document.importNode(found, true);
  localise(made);
  if (made.textContent !== old.textContent) old.replaceWith(made);
}

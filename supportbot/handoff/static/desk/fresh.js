// What stands around the conversation (who has it, summary, actions, trail) is the server's to write: read again when it has changed.

import { showOrders } from "./context.js";
import { localise } from "./times.js";

const PAUSE = 400;

export class Fresh {
  constructor(socket, { conversation, ticket }) {
    this.reads = this.shown = 0;
    socket.on("live", () => this.#cameBack());
    socket.on("event", (frame) => frame.conversation === conversation && frame.event !== "read" && this.#soon(frame.event));
    socket.on("ticket", ({ row }) => row.ticket === ticket && this.#soon()); // put aside, or back: no event tells of it
  }

  /** Nobody tells a second time what a cut line swallowed. */
  #cameBack() {
    if (this.hasBeenLive) this.#soon();
    this.hasBeenLive = true;
  }

  /** Several events that come at once are read for once. */
  #soon(event) {
    this.asksOrders ||= event === "action.succeeded";
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#read(), PAUSE);
  }

  async #read() {
    const read = ++this.reads;
    const text = await pageNow();
    if (!text || read < this.shown) return; // a later one was quicker
    this.shown = read;
    const page = new DOMParser().parseFromString(text, "text/html");
    for (const old of document.querySelectorAll("[data-fresh]")) replace(old, page.getElementById(old.id));
    if (this.asksOrders) showOrders();
    this.asksOrders = false;
  }
}

/** Return this page as the server writes it now; nothing while it cannot be had: the next `live` reads again. */
async function pageNow() {
  const answer = await fetch(location.pathname).catch(() => null);
  return answer?.ok && !answer.redirected ? answer.text().catch(() => "") : "";
}

/** Put the new part in the old one's place, unless nothing changed or somebody is at it. */
function replace(old, found) {
  if (!found || old.contains(document.activeElement) || old.querySelector("details[open]")) return;
  const made = document.importNode(found, true);
  localise(made);
  if (made.textContent !== old.textContent) old.replaceWith(made);
}

// What stands around the conversation (who has it, summary, actions, trail) is the server's to write: read again when it has changed.

import { showOrders } from "./context.js";
import { localise } from "./times.js";

const PAUSE = 400;

export class Fresh {
  constructor(socket, { conversation, ticket }) {
    socket.on("event", (frame) => frame.conversation === conversation && this.#soon(frame.event));
    socket.on("ticket", ({ row }) => row.ticket === ticket && this.#soon()); // put aside, or back: no event tells of it
  }

  /** Several events that come at once are read for once. */
  #soon(event) {
    this.asksOrders ||= event === "action.succeeded";
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#read(), PAUSE);
  }

  async #read() {
    const answer = await fetch(location.pathname).catch(() => null); // away: the page says so, and reads again later
    if (!answer?.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const old of document.querySelectorAll("[data-fresh]")) replace(old, page.getElementById(old.id));
    if (this.asksOrders) showOrders();
    this.asksOrders = false;
  }
}

/** Put the new part in the old one's place, unless nothing changed or somebody is at it. */
function replace(old, found) {
  if (!found || old.contains(document.activeElement) || old.querySelector("details[open]")) return;
  const made = document.importNode(found, true);
  localise(made);
  if (made.textContent !== old.textContent) old.replaceWith(made);
}

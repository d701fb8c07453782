// Makes the server's page live. Without it every page still works: links and forms stay what they are.

import { Alerts } from "./alerts.js";
import { Canned } from "./canned.js";
import { Composer } from "./composer.js";
import { showOrders } from "./context.js";
import { byId, el } from "./dom.js";
import { Draft } from "./draft.js";
import { Keys } from "./keys.js";
import { tieMenus } from "./menus.js";
import { Queue } from "./queue.js";
import { tieSettings } from "./settings.js";
import { DeskSocket } from "./socket.js";
import { Thread } from "./thread.js";
import { clock, localise } from "./times.js";

function startDesk(alerts) {
  const desk = document.querySelector(".desk");
  const socket = new DeskSocket("/ws/v1/desk/");
  const queue = new Queue(socket, desk.dataset.ticket, alerts);
  const parts = { links: () => queue.links() };
  if (desk.dataset.conversation) {
    const thread = new Thread(socket, desk);
    if (byId("composer")) {
      parts.composer = new Composer(socket, thread, desk);
      parts.canned = new Canned(parts.composer, desk.dataset.ticket);
      parts.draft = new Draft(parts.composer, desk.dataset.ticket);
    }
    showOrders();
  }
  new Keys(parts);
  sayWhetherLive(socket);
  socket.open();
}

/** Nothing pretends to be live that is not. */
function sayWhetherLive(socket) {
  const strip = byId("offline");
  let since = "";
  socket.on("live", () => {
    since = "";
    strip.hidden = true;
    document.body.dataset.live = "yes";
  });
  socket.on("lost", () => {
    document.body.dataset.live = "no";
    since ||= clock(new Date().toISOString());
    const again = el("button", { type: "button", class: "link" }, "Try now");
    again.addEventListener("click", () => socket.tryNow());
    strip.replaceChildren(`Not live since ${since}. Reconnecting. What you send is kept and marked. `, again);
    strip.hidden = false;
  });
  socket.on("gone", () => {
    document.body.dataset.live = "no";
    const door = el("a", { href: document.body.dataset.desk }, "Log in again");
    strip.replaceChildren("You are logged out here. What you typed is kept in this browser. ", door);
    strip.hidden = false;
  });
}

const alerts = new Alerts();
localise();
tieMenus();
tieSettings((name, box) => alerts.changed(name, box));
if (byId("queue")) startDesk(alerts);
else new Keys({ links: () => [...document.querySelectorAll(".api, .plain a")] });

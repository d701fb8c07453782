// Makes the server's page live. Without it every page still works: links and forms stay what they are.

import { Alerts } from "./alerts.js";
import { Badges } from "./badges.js";
import { Canned } from "./canned.js";
import { Composer } from "./composer.js";
import { showOrders } from "./context.js";
import { byId, el } from "./dom.js";
import { Draft } from "./draft.js";
import { Fresh } from "./fresh.js";
import { Keys } from "./keys.js";
import { tieMenus } from "./menus.js";
import { Outbox } from "./outbox.js";
import { Queue } from "./queue.js";
import { Refused } from "./refused.js";
import { tieSettings } from "./settings.js";
import { DeskSocket } from "./socket.js";
import { Thread } from "./thread.js";
import { clock, localise } from "./times.js";

function start(alerts) {
  const desk = document.querySelector(".desk");
  const socket = new DeskSocket("/ws/v1/desk/");
  const badges = new Badges(alerts);
  const outbox = new Outbox(socket, new Refused());
  const queue = new Queue(socket, desk?.dataset.ticket, badges, alerts);
  const links = () => (desk ? queue.links() : [...document.querySelectorAll(".api, .plain a")]);
  const conversation = desk?.dataset.conversation ? startConversation(socket, outbox, desk) : {};
  new Keys({ links, badges, ...conversation });
  sayWhetherLive(socket);
  socket.open();
}

/** Start what belongs to the open conversation; return what the keyboard reaches of it. */
function startConversation(socket, outbox, desk) {
  const thread = new Thread(socket, desk);
  new Fresh(socket, desk.dataset);
  showOrders();
  if (!byId("composer")) return {};
  const composer = new Composer(socket, outbox, thread, desk);
  const { ticket } = desk.dataset;
  return { composer, canned: new Canned(composer, ticket), draft: new Draft(composer, ticket) };
}

/** Nothing pretends to be live that is not. */
function sayWhetherLive(socket) {
  const strip = byId("offline") ?? el("p"); // pages beside the queue say nothing of it: only their numbers are live
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
    const door = el("a", { href: document.body.dataset.desk }, "Open the desk again");
    strip.replaceChildren("You are logged out here, or in another workspace now. What you typed is kept in this tab. ", door);
    strip.hidden = false;
  });
}

const alerts = new Alerts();
localise();
tieMenus();
tieSettings((name, box) => alerts.changed(name, box));
start(alerts);

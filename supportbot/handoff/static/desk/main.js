// Adds live updates to the server's pages, which also work without it.

import { Alerts } from "./alerts.js";
import { Badges } from "./badges.js";
import { Canned } from "./canned.js";
import { followRequest } from "./carried_out.js";
import { Composer } from "./composer.js";
import { showOrders } from "./context.js";
import { byId, el } from "./dom.js";
import { Draft } from "./draft.js";
import { Refresh } from "./refresh.js";
import { Keys } from "./keys.js";
import { initMenus } from "./menus.js";
import { Outbox } from "./outbox.js";
import { Queue } from "./queue.js";
import { Refused } from "./refused_messages.js";
import { initSettings } from "./settings.js";
import { DeskSocket } from "./socket.js";
import { gettext } from "./text.js";
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
  showConnection(socket);
  followRequest();
  socket.open();
}

/** Start the open conversation's parts; return those with keyboard shortcuts. */
function startConversation(socket, outbox, desk) {
  showOwnAddress(desk.dataset.ticket);
  // On a phone, the messages need the room; what the customer wants still fits on one line.
  if (matchMedia("(max-width: 43.75em)").matches) document.querySelector(".sum").open = false;
  const thread = new Thread(socket, desk);
  new Refresh(socket, desk.dataset);
  showOrders();
  if (!byId("composer")) return {};
  const composer = new Composer(socket, outbox, thread, desk);
  const { ticket } = desk.dataset;
  return { composer, canned: new Canned(composer, ticket), draft: new Draft(composer, ticket) };
}

/** Show the ticket's address: that of a refused form can be neither reloaded nor read for updates. */
function showOwnAddress(ticket) {
  const own = `${document.body.dataset.desk}tickets/${ticket}/`;
  if (location.pathname !== own) history.replaceState(null, "", own);
}

/** Show whether the page is live. */
function showConnection(socket) {
  const strip = byId("offline") ?? el("p"); // pages without the strip only have live counts
  let since = "";
  socket.on("live", () => {
    since = "";
    strip.hidden = true;
    document.body.dataset.live = "yes";
  });
  socket.on("lost", () => {
    document.body.dataset.live = "no";
    since ||= clock(new Date().toISOString());
    const again = el("button", { type: "button", class: "link" }, gettext("Reconnect now"));
    again.addEventListener("click", () => socket.tryNow());
    const words = gettext("Connection lost at {time}. Reconnecting. Messages you send now are kept and sent later.", { time: since });
    strip.replaceChildren(words, " ", again);
    strip.hidden = false;
  });
  socket.on("gone", () => {
    document.body.dataset.live = "no";
    const link = el("a", { href: document.body.dataset.desk }, gettext("Open the desk"));
    const words = gettext("You are logged out or have switched to another workspace. Your text is kept in this tab.");
    strip.replaceChildren(words, " ", link);
    strip.hidden = false;
  });
}

const alerts = new Alerts();
localise();
initMenus();
initSettings((name, box) => alerts.changed(name, box));
alerts.showBlocked();
start(alerts);

/** Draws the items of the log. Each function updates an item's node in place, so that nothing moves. */

import { answer } from "./answer.js";
import { card } from "./cards.js";
import { h, icon } from "./dom.js";
import { human, mark, wait } from "./people.js";

const DRAWERS = { me, bot: answer, human, note, card, mark, wait };

export function drawItem(node, item, chat) {
  DRAWERS[item.kind]?.(node, item, chat);
  node.part = "message";
  // Blocks and the rating are in a bundle that is fetched on demand.
  if (item.blocks || item.kind === "rate") import("./blocks.js").then((its) => its.draw(node, item, chat.speaking(item)));
}

function me(node, item, chat) {
  const { t, i18n } = chat;
  const isFailed = item.state === "failed";
  const state = isFailed ? `${t("notSent")} ${i18n.error(item.reason)} ` : t(item.readAt ? "read" : item.state, { time: i18n.time(item.readAt || item.at) });
  node.className = isFailed ? "m me bad" : "m me";
  node.replaceChildren(
    h("p", { dir: "auto", lang: "" }, item.text),
    h("span.meta", isFailed && icon("alert", "s"), state, isFailed && h("button.link", { onclick: () => chat.transmit(item) }, t("tryAgain"))),
  );
}

function note(node, item) {
  node.className = "m hint";
  node.dir = "auto";
  node.lang = "";
  node.textContent = item.text;
}

/** Draws the assistant's answers: the text as it grows, its sources, and its tools. */

import { btn, h, icon, iconBtn } from "./dom.js";
import { draw, link, plain } from "./markdown.js";

export function answer(node, item, chat) {
  const { t } = chat;
  const { by, isOver, citations, text } = item;
  if (!node.text) {
    node.className = "m bot";
    node.append((node.by = h("div.by")), (node.text = h("div")), (node.rest = h("div.rest")));
  }
  if (node.citations !== citations || node.chat !== chat) Object.assign(node, { citations, chat, cite: citing(node, item, chat) });
  node.by.replaceChildren(t("assistant"), h("span.ai", t("ai")));
  const isQuote = isOver && by === "builtin" && citations.length > 0;
  node.text.className = isQuote ? "text quoted" : text && !isOver ? "text growing" : "text";
  node.text.lang = item.locale || "";
  draw(node.text, text || "", node.cite);
  const doing = !text && h("p.doing", h("span.pulse"), item.status || t("looking"));
  node.rest.replaceChildren(...h("div", isOver ? [isQuote && h("p.hint", t("quoted")), ending(node, item, chat)] : doing).children);
}

/** A note on how the answer ended, if one is needed, and the customer's next options. */
function ending(node, item, chat) {
  const { t, connection } = chat;
  const { isFailed, isCut, stopped, retry, message, text } = item;
  const retryButton = (key) => h("button.link", { onclick: () => connection.deliver({ type: "retry", message }) }, t(key));
  return [
    isFailed && h("div.notice", icon("alert"), h("span", h("b", t("brokeOff")), text && ` ${t("incomplete")}`, " ", retry && retryButton("answerAgain"))),
    isCut && h("p.hint", t("incomplete")),
    stopped && h("p.hint", `${t("stopped")} `, retryButton("goOn")),
    !isFailed && !isCut && tools(node, item, chat),
    item.offers_human && btn("", () => chat.human(), icon("person", "s"), t("askHuman")),
  ];
}

/** Draw the number of a source, as a button once the sources are known. */
function citing(node, { citations }, { t, i18n }) {
  return (n) => {
    if (!citations) return h("span.cite", i18n.number(n));
    return citations[n - 1] && h("button.cite", { "aria-label": t("source", { n }), onclick: () => node.show(n) }, i18n.number(n));
  };
}

/** The row of tools under an answer, and the cited passages as they were when the answer was given. */
function tools(node, { citations, abstained, request: id, hasCard, message, text }, chat) {
  const { t } = chat;
  const n = citations.length;
  const isJudged = !abstained && !id && !hasCard;
  if (!n && !isJudged) return "";
  const list = h("ol.srclist", citations.map((one, index) => source(one, chat.i18n.number(index + 1))));
  const toggle = h("button.srcs", { onclick: () => node.show(list.hidden ? 0 : -1) }, icon("book", "s"), t("sources", { n }), icon("down", "s"));
  node.show = (number) => {
    list.hidden = number < 0;
    toggle.ariaExpanded = !list.hidden;
    [...list.children].forEach((row, index) => row.classList.toggle("on", index + 1 === number));
    list.querySelector(".on :is(a, b)")?.focus();
  };
  node.show(-1);
  const judge = (word, turned, score) => {
    const pressed = iconBtn(`.sm${turned}`, "good", t(word), () => {
      chat.rate(score, "", message);
      if (turned || node.why) import("./blocks.js").then(({ drawReasons }) => drawReasons(node, score, message, chat));
      for (const other of pressed.parentNode.children) other.ariaPressed = other === pressed || null;
    });
    return pressed;
  };
  const copy = iconBtn(".sm", "copy", t("copy"), () => navigator.clipboard.writeText(plain(text)).then(() => {
    copy.replaceChildren(icon("check"));
    chat.view.announcer.status(t("succeeded"));
  }, () => chat.view.announcer.status(t("other"))));
  return [h("div.tools", n > 0 && toggle, h("span.gap"), isJudged && [judge("good", "", 5), judge("bad", ".down", 1)], navigator.clipboard && copy), list];
}

function source({ title, url, quote }, number) {
  return h("li", h("span.n", { "aria-hidden": "true" }, number), h("div", link(url, title) || h("b", { tabindex: "-1" }, title), h("blockquote", { dir: "auto" }, plain(quote))));
}

/** An answer of the assistant: who speaks, the text as it grows, its sources, and what can be done with it. */

import { btn, h, icon, iconBtn, set } from "./dom.js";
import { draw, link, plain } from "./markdown.js";

export function answer(node, item, chat) {
  const { say } = chat;
  const { by, isOver, citations, text } = item;
  if (!node.text) {
    node.className = "m bot";
    node.append(h("div.by", say("assistant"), h("span.ai", say("ai"))), (node.text = h("div")), (node.rest = h("div.rest")));
  }
  if (!node.cite || node.citations !== citations) Object.assign(node, { citations, cite: citing(node, item, say) });
  const isQuote = isOver && by === "builtin" && citations.length > 0;
  node.text.className = isQuote ? "text quoted" : text && !isOver ? "text growing" : "text";
  draw(node.text, text || "", node.cite);
  const doing = !text && h("p.doing", h("span.pulse"), item.status || say("looking"));
  node.rest.replaceChildren(...h("div", isOver ? [isQuote && h("p.hint", say("quoted")), ending(node, item, chat)] : doing).children);
  if (item.blocks) import("./asking.js").then(({ asks }) => asks(node, item, chat));
}

/** How an answer ended, where that needs a word, and the ways on. */
function ending(node, item, chat) {
  const { say, connection } = chat;
  const { isFailed, isCut, stopped, retry, message, text } = item;
  const again = (words) => h("button.link", { onclick: () => connection.deliver({ type: "retry", message }) }, say(words));
  return [
    isFailed && h("div.notice", icon("alert"), h("span", h("b", say("brokeOff")), text && ` ${say("incomplete")}`, " ", retry && again("answerAgain"))),
    isCut && h("p.hint", say("incomplete")),
    stopped && h("p.hint", `${say("stopped")} `, again("goOn")),
    !isFailed && !isCut && tools(node, item, chat),
    item.offers_human && btn("", () => chat.human(), icon("person", "s"), say("askHuman")),
  ];
}

/** Draw a source's number; a button once the sources are known. */
function citing(node, { citations }, say) {
  return (n) => {
    if (!citations) return h("span.cite", `${n}`);
    return citations[n - 1] && h("button.cite", { "aria-label": say("source", { n }), onclick: () => node.show(n) }, `${n}`);
  };
}

/** The row under an answer, and the passages as they read when it was given. */
function tools(node, { citations, abstained, request: id, hasCard, message, text }, chat) {
  const { say } = chat;
  const n = citations.length;
  const isJudged = !abstained && !id && !hasCard;
  if (!n && !isJudged) return "";
  const list = h("ol.srclist", citations.map(source));
  const toggle = h("button.srcs", { onclick: () => node.show(list.hidden ? 0 : -1) }, icon("book", "s"), say("sources", { n }), icon("down", "s"));
  node.show = (number) => {
    list.hidden = number < 0;
    set(toggle, "aria-expanded", String(!list.hidden));
    [...list.children].forEach((row, index) => row.classList.toggle("on", index + 1 === number));
    list.querySelector(".on :is(a, b)")?.focus();
  };
  node.show(-1);
  const judge = (word, turned, score) => {
    const pressed = iconBtn(`.sm${turned}`, "good", say(word), () => {
      chat.rate(score, "", message);
      for (const other of pressed.parentNode.children) set(other, "aria-pressed", other === pressed && "true");
    });
    return pressed;
  };
  const copy = iconBtn(".sm", "copy", say("copy"), () => navigator.clipboard.writeText(plain(text)).then(() => {
    copy.replaceChildren(icon("check"));
    chat.view.speech.status(say("succeeded"));
  }, () => chat.view.speech.status(say("other"))));
  return [h("div.tools", n > 0 && toggle, h("span.gap"), isJudged && [judge("good", "", 5), judge("bad", ".down", 1)], navigator.clipboard && copy), list];
}

function source({ title, url, quote }, index) {
  return h("li", h("span.n", { "aria-hidden": "true" }, `${index + 1}`), h("div", link(url, title) || h("b", { tabindex: "-1" }, title), h("blockquote", { dir: "auto" }, plain(quote))));
}

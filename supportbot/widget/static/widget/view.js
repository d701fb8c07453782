/**
 * The panel's frame: head, strip, log, composer, foot. It draws items as they change, at most once per frame of the
 * screen, and moves nothing that the reader did not move: a new question goes to the top, its answer grows below.
 */

import { Composer } from "./composer.js";
import { button, h, icon, iconButton } from "./dom.js";
import { drawItem, face } from "./items.js";
import { Speech } from "./speech.js";

const NEAR_PX = 60;

export class View {
  #nodes = new Map();
  #stale = new Set();
  #frame = 0;
  #question = null;

  constructor(chat) {
    this.chat = chat;
    const { say } = chat;
    this.speech = new Speech(say("conversation"));
    this.composer = new Composer(chat);
    this.list = h("div", { class: "w-log", part: "log", role: "group", tabindex: "0", "aria-label": say("conversation"), onscroll: () => this.#scrolled() });
    this.spacer = h("div", { class: "spacer" });
    this.typing = h("div", { class: "m human", hidden: true });
    this.more = button("btn sm more", () => this.#toEnd(), say("newAnswer"), icon("down", "s"));
    this.more.hidden = true;
    this.fine = h("p", { class: "w-fine" });
    this.strip = h("div", { class: "w-strip", hidden: true });
    this.head = h("div", { class: "w-head", part: "header" });
    this.body = h("div", { class: "w-body" }, this.list, this.more);
    this.foot = h("div", { class: "w-foot" }, this.composer.note, this.composer.node, this.fine);
    // In the order of Tab: what was said, what one can do, the field, the foot, and the head last.
    this.node = h("div", { class: "w", part: "panel", role: "dialog", hidden: true, tabindex: "-1", onkeydown: (event) => this.#key(event) }, this.body, this.foot, this.head, this.strip, this.speech.log, this.speech.line);
    this.list.append(this.typing, this.spacer);
  }

  /** Note that an item changed; it is drawn with the next frame, or at once where no frame comes. */
  stale(item) {
    this.#stale.add(item);
    if (document.hidden) this.flush();
    else if (!this.#frame) this.#frame = requestAnimationFrame(() => this.flush());
  }

  flush() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const isAtEnd = this.#distance() < NEAR_PX;
    const stale = [...this.#stale];
    this.#stale.clear();
    for (const item of stale) this.#draw(item, isAtEnd);
    this.#settle();
  }

  /** Draw everything anew: another conversation, or another language. */
  rebuild(items) {
    for (const node of this.#nodes.values()) node.remove();
    this.#nodes.clear();
    this.#stale = new Set(items);
    this.#question = null;
    this.flush();
    this.#toEnd();
  }

  /** Bring a new question to the top of the view. */
  follow(item) {
    this.flush();
    this.#question = this.#nodes.get(item.key);
    this.#settle();
    this.list.scrollTop = this.#question.offsetTop - 16;
    this.more.hidden = true;
  }

  #draw(item, isAtEnd) {
    let node = this.#nodes.get(item.key);
    const isNew = !node;
    if (isNew) {
      node = h("div", {});
      this.#nodes.set(item.key, node);
    }
    drawItem(node, item, this.chat);
    this.#place(node, item);
    if (item.kind === "human" && isNew && isAtEnd) this.#reveal(node);
    if (item.kind === "card" && isNew) this.#reveal(node);
  }

  /** Put a node where its event stands in the log. */
  #place(node, item) {
    node.seq = item.seq;
    let before = this.typing;
    for (let other = this.typing.previousSibling; other && other.seq > item.seq; other = other.previousSibling) if (other !== node) before = other;
    if (node.nextSibling !== before) before.before(node);
  }

  #reveal(node) {
    this.#settle();
    const below = node.offsetTop + node.offsetHeight + 12 - this.list.scrollTop - this.list.clientHeight;
    if (below > 0) this.list.scrollTop += Math.min(below, node.offsetTop - 16 - this.list.scrollTop);
  }

  /** Keep room below the last question, so that its answer has where to grow. */
  #settle() {
    const { list, spacer } = this;
    if (this.#question && this.#question.isConnected) {
      const below = spacer.offsetTop - this.#question.offsetTop + 16;
      spacer.style.blockSize = `${Math.max(0, list.clientHeight - below - 12)}px`;
    } else spacer.style.blockSize = "0";
    if (this.#distance() > NEAR_PX && this.chat.isWriting()) this.more.hidden = false;
  }

  /** How far the end of what was said is below the view. */
  #distance() {
    return this.spacer.offsetTop - this.list.scrollTop - this.list.clientHeight;
  }

  #scrolled() {
    if (this.#distance() < NEAR_PX) this.more.hidden = true;
  }

  #toEnd() {
    this.list.scrollTop = this.spacer.offsetTop - this.list.clientHeight + 12;
  }

  #key(event) {
    if (event.key === "Escape" && !event.defaultPrevented) {
      event.preventDefault();
      event.stopPropagation();
      this.chat.escape();
    }
    if (event.key === "Tab" && this.isModal) this.#trap(event);
  }

  /** On a phone the panel is the whole screen: Tab goes round in it. */
  #trap(event) {
    const all = [...this.node.querySelectorAll("a[href], button:not(:disabled), textarea, input, [tabindex='0']")].filter((node) => node.getClientRects().length);
    const [from, to] = event.shiftKey ? [all[0], all.at(-1)] : [all.at(-1), all[0]];
    if (this.node.getRootNode().activeElement !== from) return;
    event.preventDefault();
    to.focus();
  }

  // --- Head, strip, foot.

  /** Who one talks to: the assistant's mark, or a person's face. */
  drawHead({ name, about, agent }) {
    const { say, menu, close } = this.chat;
    const mark = agent ? face(agent, "") : h("span", { class: "w-mark", "aria-hidden": "true" }, icon("assist"));
    if (agent) mark.append(h("span", { class: "w-live" }));
    this.node.setAttribute("aria-label", name);
    const had = this.head.contains(this.node.getRootNode().activeElement);
    this.menuButton = iconButton("", "more", say("menu"), () => menu(), { "aria-haspopup": "true", "aria-expanded": "false" });
    this.head.replaceChildren(mark, h("div", { class: "w-who" }, h("b", {}, agent || name), h("span", {}, about)), this.menuButton, iconButton("w-close", "close", say("close"), () => close()));
    if (had) this.menuButton.focus();
  }

  drawStrip(text, isWarning) {
    const isShown = Boolean(text);
    this.strip.hidden = !isShown;
    this.strip.className = `w-strip ${isWarning ? "warn" : ""}`;
    this.strip.replaceChildren(isWarning ? icon("offline", "s") : h("span", { class: "pulse", "aria-hidden": "true" }), h("span", {}, text));
    if (isShown) this.speech.status(text);
  }

  drawFoot(text, label, action) {
    this.fine.replaceChildren(h("span", {}, text), label ? button("link", action, label) : "");
  }

  /** What stands before the first message. */
  drawIntro(...nodes) {
    if (this.intro) this.intro.remove();
    this.intro = h("div", { class: nodes.length > 1 ? "hello-all" : "intro" }, nodes);
    this.list.prepend(this.intro);
  }

  drawTyping(name) {
    this.typing.hidden = !name;
    if (!name) return;
    const dots = h("div", { class: "dots", role: "img", "aria-label": this.chat.say("typing", { name }) }, h("i"), h("i"), h("i"));
    this.typing.replaceChildren(face(name, "sm"), dots);
  }

  /** Show a page of the menu in place of the log; without nodes, the log again. */
  drawPage(...nodes) {
    if (this.page) this.page.remove();
    this.page = nodes.length ? h("div", { class: "w-log view", tabindex: "-1" }, nodes) : null;
    this.list.hidden = Boolean(this.page);
    this.foot.hidden = Boolean(this.page);
    if (this.page) this.body.append(this.page);
  }
}

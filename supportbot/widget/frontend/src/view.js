/**
 * The panel's frame: head, strip, log, composer, foot. It draws items as they change, at most once per frame of the
 * screen, and moves nothing that the reader did not move: a new question goes to the top, its answer grows below.
 */

import { Composer } from "./composer.js";
import { btn, h, icon, iconBtn, set } from "./dom.js";
import { drawItem, face, firstName } from "./items.js";
import { toggleMenu } from "./menu.js";
import { Speech } from "./speech.js";

const EDGE = 16;
const NEAR = 60;

export class View {
  nodes = new Map();
  stale = new Set();

  constructor(chat) {
    this.chat = chat;
    this.speech = new Speech();
    this.composer = new Composer(chat);
    this.typing = h("div.m.human", { hidden: true });
    this.spacer = h("div");
    const hide = () => (this.more.hidden ||= this.#isAtEnd);
    this.list = h("div.w-log", { part: "log", role: "group", tabindex: "0", onscroll: hide }, this.typing, this.spacer);
    this.more = h("button.btn.sm.more", { hidden: true, onclick: () => this.toEnd() });
    this.fine = h("p.w-fine");
    this.foot = h("div.w-foot", this.composer.note, this.composer.node, this.fine);
    this.head = h("div.w-head", { part: "header" });
    this.strip = h("div.w-strip", { hidden: true });
    this.peek = h("div.peek", { hidden: true });
    // In the order of Tab: what was said, what one can do, the field, the foot, and the head last.
    this.node = h("dialog.w", { part: "panel", tabindex: "-1", onkeydown: (event) => this.#key(event) }, h("div.w-body", this.list, this.more), this.foot, this.head, this.strip, this.speech.log, this.speech.line);
  }

  get focused() {
    return this.node.getRootNode().activeElement;
  }

  /** Note that an item changed; it is drawn with the next frame. */
  note(item) {
    this.stale.add(item);
    this.frame ||= requestAnimationFrame(() => this.flush());
  }

  flush() {
    this.frame = 0;
    const isAtEnd = this.#isAtEnd;
    const fresh = [...this.stale].filter((item) => this.#draw(item));
    this.stale.clear();
    this.#settle();
    const last = this.typing.previousSibling;
    // What is new is shown to who reads at the end; a card, which asks something, to everybody. Whole, so far as it fits:
    // what its answer still adds above does not push its buttons out.
    if (fresh.some(({ kind }) => kind === "card") || (isAtEnd && (fresh.length || last?.role))) this.#reveal(last.offsetTop - EDGE);
  }

  /** Draw everything anew: another conversation, or another language. */
  rebuild(items) {
    for (const node of this.nodes.values()) node.remove();
    this.nodes.clear();
    this.question = null;
    this.stale = new Set(items);
    this.flush();
    this.toEnd();
  }

  /** Bring a new question to the top of the view, so that the answer has room below; people write line by line. */
  follow({ key }) {
    this.flush();
    if (this.chat.log.mode === "assistant") {
      this.question = this.nodes.get(key);
      this.#settle();
      this.list.scrollTop = this.question.offsetTop - EDGE;
    } else this.toEnd();
  }

  toEnd() {
    this.#reveal(Infinity);
  }

  /** Scroll down to the end of what was said, but not beyond `top`; never up. */
  #reveal(top) {
    const { list } = this;
    list.scrollTop = Math.max(list.scrollTop, Math.min(this.spacer.offsetTop + EDGE - list.clientHeight, top));
  }

  /** Bring the item's node up to date; true if it is a new one. */
  #draw(item) {
    const known = this.nodes.get(item.key);
    const node = known || h("div");
    this.nodes.set(item.key, node);
    drawItem(node, item, this.chat);
    // Where its event stands in the log.
    node.seq = item.seq;
    const next = [...this.list.children].find((other) => other !== node && other.seq > item.seq) || this.typing;
    if (node.nextSibling !== next) next.before(node);
    return !known;
  }

  /** Keep room below the last question, so that its answer has where to grow. */
  #settle() {
    const room = this.question ? this.list.clientHeight - this.spacer.offsetTop + this.question.offsetTop - 2 * EDGE : 0;
    this.spacer.style.blockSize = `${Math.max(0, room)}px`;
    this.more.hidden &&= !this.chat.log.writing || this.#isAtEnd;
  }

  /** Whether the end of what was said is in view. */
  get #isAtEnd() {
    return this.spacer.offsetTop - this.list.scrollTop - this.list.clientHeight < NEAR;
  }

  #key(event) {
    if (event.key !== "Escape") return;
    // The dialog's own way out would leave the launcher unaware.
    event.preventDefault();
    event.stopPropagation();
    this.chat.escape();
  }

  // --- Head, strip, foot.

  /** Who one talks to: the assistant's mark, or a person's face. */
  drawHead(name, about, agent) {
    const { chat, head } = this;
    const had = head.contains(this.focused);
    const mark = agent ? face(agent) : h("span.w-mark", chat.element.launcher.firstChild.cloneNode(true));
    if (agent) mark.append(h("span.w-live"));
    this.menuButton = iconBtn("", "more", chat.say("menu"), () => toggleMenu(chat));
    set(this.menuButton, "aria-expanded", "false");
    head.replaceChildren(mark, h("div.w-who", h("b", name), h("span", about)), this.menuButton, iconBtn(".w-close", "close", chat.say("close"), () => chat.close()));
    if (had) this.menuButton.focus();
    set(this.node, "aria-label", name);
    for (const list of [this.list, this.speech.log]) set(list, "aria-label", chat.say("conversation"));
    this.more.replaceChildren(chat.say("newAnswer"), icon("down", "s"));
  }

  drawStrip(text, isWarning) {
    this.strip.hidden = !text;
    this.strip.className = isWarning ? "w-strip warn" : "w-strip";
    this.strip.replaceChildren(isWarning ? icon("alert", "s") : h("span.pulse"), text);
    this.speech.status(text);
  }

  drawFoot(text, label, onclick) {
    this.fine.replaceChildren(h("span", text), h("button.link", { onclick }, label));
  }

  /** What stands before the first message. */
  drawIntro(...nodes) {
    this.intro?.remove();
    this.intro = h("div.intro", nodes);
    this.list.prepend(this.intro);
  }

  /** Three dots, for people only. */
  drawTyping(who) {
    const isAtEnd = this.#isAtEnd;
    const { say } = this.chat;
    this.typing.hidden = false;
    this.typing.replaceChildren(face(who, ".sm"), h("div.dots", { role: "img", "aria-label": say("typing", { name: firstName(who, { say }) }) }, h("i"), h("i"), h("i")));
    if (isAtEnd) this.toEnd();
  }

  /** A line of what waits, beside the launcher: of whom, and what. */
  drawPeek(who, line) {
    const { chat, peek } = this;
    peek.hidden = false;
    peek.replaceChildren(btn(".quiet.sm.go", () => chat.open(), h("b", who), h("span", line)), iconBtn(".sm", "close", chat.say("dismiss"), () => (peek.hidden = true)));
  }

  /** Show a page of the menu in place of the log; without nodes, the log again. */
  drawPage(nodes) {
    this.page?.remove();
    this.page = nodes.length ? h("div.w-log", { tabindex: "-1" }, nodes) : null;
    this.list.hidden = this.foot.hidden = Boolean(this.page);
    if (!this.page) return;
    this.list.after(this.page);
    this.page.focus();
  }
}

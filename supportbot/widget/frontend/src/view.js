/**
 * The panel: header, connection strip, log, composer, footer. It draws changed items at most once per animation frame,
 * and scrolls only for a new question, which moves to the top so that its answer can grow below.
 */

import { Announcer } from "./announcer.js";
import { Composer } from "./composer.js";
import { btn, h, icon, iconBtn, set } from "./dom.js";
import { drawItem } from "./items.js";
import { toggleMenu } from "./menu.js";
import { face, firstName } from "./people.js";

const EDGE = 16;
const NEAR = 60;

export class View {
  nodes = new Map();
  stale = new Set();
  #wasAtEnd = true; // when the log was last scrolled or drawn

  constructor(chat) {
    this.chat = chat;
    this.announcer = new Announcer(chat);
    this.composer = new Composer(chat);
    this.typing = h("div.m.human", { hidden: true });
    this.spacer = h("div");
    const scrolled = () => {
      this.#wasAtEnd = this.#isAtEnd;
      this.more.hidden ||= this.#wasAtEnd;
    };
    this.list = h("div.w-log", { part: "log", role: "group", tabindex: "0", onscroll: scrolled }, this.typing, this.spacer);
    // A reader at the end stays there if the log becomes shorter, for example when the composer grows or the device is
    // turned.
    new ResizeObserver(() => {
      this.#settle();
      if (this.#wasAtEnd) this.toEnd();
    }).observe(this.list);
    this.more = btn(".sm.more", () => this.toEnd(), { hidden: true });
    this.fine = h("p.w-fine");
    this.foot = h("div.w-foot", this.composer.note, this.composer.node, this.fine);
    this.head = h("div.w-head", { part: "header" });
    this.strip = h("div.w-strip", { hidden: true });
    this.peek = h("div.peek", { hidden: true });
    // In tab order: the log and its controls, the composer, the footer, and the header last.
    this.node = h("dialog.w", { part: "panel", tabindex: "-1", onkeydown: (event) => this.#key(event) }, h("div.w-body", this.list, this.more), this.foot, this.head, this.strip, this.announcer.log, this.announcer.line);
  }

  get focused() {
    return this.node.getRootNode().activeElement;
  }

  /** Mark an item as changed; it is drawn with the next frame, or once the texts of its language are here. */
  invalidate(item) {
    const { chat } = this;
    this.stale.add(item);
    chat.speaking(item); // fetches them
    this.frame ||= requestAnimationFrame(() => chat.texts.then(() => this.flush()));
  }

  flush() {
    this.frame = 0;
    const fresh = [...this.stale].filter((item) => this.#draw(item));
    this.stale.clear();
    this.#settle();
    const last = this.typing.previousSibling;
    // New items scroll into view for readers at the end; a card, which needs a decision, for everybody. It is shown whole
    // if it fits, so that an answer growing above does not push its buttons out of view.
    if (fresh.some(({ kind }) => kind === "card") || (this.#wasAtEnd && (fresh.length || last?.role))) this.#reveal(last.offsetTop - EDGE);
    this.#wasAtEnd = this.#isAtEnd;
  }

  /** Draw everything again, for a different conversation or language. */
  rebuild(items) {
    this.nodes.forEach((node) => node.remove());
    this.nodes.clear();
    this.question = null;
    this.stale = new Set(items);
    this.flush();
    this.toEnd();
  }

  /** Scroll a new question to the top, so that its answer has room below. Agents write line by line: scroll to the end. */
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

  /** Scroll down to the end of the log, but not beyond `top`, and never up. */
  #reveal(top) {
    const { list } = this;
    list.scrollTop = Math.max(list.scrollTop, Math.min(this.spacer.offsetTop + EDGE - list.clientHeight, top));
  }

  /** Update the item's node; return true if it is new. */
  #draw(item) {
    const known = this.nodes.get(item.key);
    const node = known || h("div");
    this.nodes.set(item.key, node);
    try {
      const chat = this.chat.speaking(item);
      node.lang = chat.i18n.language;
      set(node, "dir", chat !== this.chat && chat.i18n.dir);
      drawItem(node, item, chat);
    } catch (error) {
      reportError(error); // one item that cannot be drawn must not hide those after it
    }
    // Items are in the order of their events in the log.
    node.seq = item.seq;
    const next = [...this.list.children].find((other) => other !== node && other.seq > item.seq) || this.typing;
    if (node.nextSibling !== next) next.before(node);
    return !known;
  }

  /** Keep room below the last question for its answer to grow. */
  #settle() {
    const room = this.question ? this.list.clientHeight - this.spacer.offsetTop + this.question.offsetTop - 2 * EDGE : 0;
    this.spacer.style.blockSize = `${Math.max(0, room)}px`;
    this.more.hidden &&= !this.chat.log.writing || this.#isAtEnd;
  }

  /** Whether the end of the log is in view. */
  get #isAtEnd() {
    return this.spacer.offsetTop - this.list.scrollTop - this.list.clientHeight < NEAR;
  }

  #key(event) {
    if (event.key !== "Escape") return;
    // The dialog would close by itself without the launcher's state changing.
    event.preventDefault();
    event.stopPropagation();
    this.chat.escape();
  }

  // --- Header, strip, footer.

  /** Who the customer talks to: the assistant's logo, or an agent's avatar. */
  drawHead(name, about, agent) {
    const { chat, head } = this;
    const had = head.contains(this.focused);
    const mark = agent ? face(agent) : h("span.w-mark", chat.element.launcher.firstChild.cloneNode(true));
    if (agent) mark.append(h("span.w-live"));
    // The logo replaces our mark only after it has loaded, because the page's policy may forbid it.
    else if (chat.config.logo) h("img", { src: chat.config.logo, alt: "", height: 36, onload() { mark.replaceWith(this); } });
    this.menuButton = iconBtn("", "more", chat.t("menu"), () => toggleMenu(chat));
    this.menuButton.ariaExpanded = false;
    head.replaceChildren(mark, h("div.w-who", h("b", name), h("span", about)), this.menuButton, iconBtn(".w-close", "close", chat.t("close"), () => chat.close()));
    if (had) this.menuButton.focus();
    this.node.ariaLabel = name;
    this.list.ariaLabel = this.announcer.log.ariaLabel = chat.t("conversation");
    this.more.replaceChildren(chat.t("newAnswer"), icon("down", "s"));
  }

  drawStrip(text, isWarning) {
    this.strip.hidden = !text;
    this.strip.classList.toggle("warn", isWarning);
    this.strip.replaceChildren(isWarning ? icon("alert", "s") : h("span.pulse"), text);
    this.announcer.status(text);
  }

  drawFoot(text, label, onclick) {
    this.fine.replaceChildren(h("span", text), h("button.link", { onclick }, label));
  }

  /** The part above the first message. */
  drawIntro(...nodes) {
    this.intro?.remove();
    this.list.prepend((this.intro = h("div.intro", nodes)));
  }

  /** The three dots of a typing agent. */
  drawTyping(who) {
    const { chat } = this;
    this.typing.hidden = false;
    this.typing.replaceChildren(face(who, ".sm"), h("div.dots", { role: "img", "aria-label": chat.t("typing", { name: firstName(who, chat) }) }, h("i"), h("i"), h("i")));
    if (this.#wasAtEnd) this.toEnd();
  }

  /** A preview of the last unread message, beside the launcher. */
  drawPeek(who, line) {
    const { chat, peek } = this;
    peek.hidden = false;
    peek.replaceChildren(btn(".quiet.sm.go", () => chat.open(), h("b", who), h("span", line)), iconBtn(".sm", "close", chat.t("dismiss"), () => (peek.hidden = true)));
  }

  /** Show a page of the menu instead of the log; if there are no nodes, show the log again. */
  drawPage(nodes) {
    this.page?.remove();
    this.page = nodes[0] && h("div.w-log", { tabindex: "-1" }, nodes);
    this.list.hidden = this.foot.hidden = Boolean(this.page);
    if (!this.page) return;
    this.list.after(this.page);
    this.page.focus();
  }
}

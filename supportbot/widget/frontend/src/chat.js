/**
 * The chat connects the customer's input, the connection to the server, the log and the view. It makes no decisions about
 * actions or handoffs: it sends what was pressed, and shows what the log says.
 */

import { request } from "./api.js";
import { credentials, renewIdentity, requestTicket } from "./auth.js";
import { update, updateConnection, updateUnread } from "./chrome.js";
import { Connection } from "./connection.js";
import { I18n, base } from "./i18n.js";
import { Identity, subjectOf } from "./identity.js";
import { handleEvent, handleFrame } from "./incoming.js";
import { Log } from "./log.js";
import { toggleMenu } from "./menu.js";
import { Session } from "./session.js";
import { View } from "./view.js";
import { fitPanel } from "./viewport.js";

const TICK_MS = 15_000;
const RETRY_MS = 60_000;
const LONGEST_WAIT_MS = 1000;

export class Chat {
  removed = new AbortController();
  config = {};
  identity = new Identity();
  log = new Log((item) => this.view.invalidate(item));
  speakers = {}; // this chat in other languages, by locale; itself while it has no texts in that language
  texts = Promise.resolve();
  human = (reason) => this.requestHuman(reason);
  hide = this.close;

  constructor(element, i18n) {
    const { signal } = this.removed;
    this.element = element;
    this.i18n = i18n;
    this.session = new Session(element, signal, (isOther) => {
      if (isOther) this.view.composer.text = "";
      this.clear(this.isTheirs);
    });
    this.identity.set(element.identity);
    this.view = new View(this);
    const handlers = { state: (state, code) => updateConnection(this, state, code), frame: (frame) => handleFrame(this, frame), event: (event) => handleEvent(this, event) };
    this.connection = new Connection({ ticket: () => requestTicket(this), events: (after) => this.#events(after) }, handlers, signal);
    this.fit = fitPanel(element, this.view.node, signal);
    element.frame.append(this.view.peek, this.view.node);
    addEventListener("visibilitychange", () => updateUnread(this), { signal });
    this.ticking = setInterval(() => this.view.node.querySelectorAll(".until").forEach((line) => line.count()), TICK_MS);
    update(this);
  }

  /** Show the draft and the unsent messages that this tab stored, once it is known that they are this customer's. */
  restore() {
    const { draft, unsent = [] } = this.session.tab;
    if (draft) this.view.composer.text = draft;
    for (const { key, text, frame } of unsent) this.log.addOwn(key, text, frame);
    update(this);
  }

  // --- The page's API.

  async open({ isQuiet } = {}) {
    if (!this.isOpen) this.#setOpen(true);
    if (!isQuiet) this.focus();
    // If the bundle cannot be fetched, the code stays in the address: it has not been redeemed, so a reload can redeem it.
    if (/#code=./.test(location.hash)) await import("./codes.js").then((its) => its.redeem(this), () => this.refuse("other"));
    this.connection.start();
  }

  close() {
    if (!this.isOpen) return;
    const had = this.view.focused;
    this.#setOpen(false);
    if (had) this.element.launcher.focus();
  }

  toggle() {
    return this.isOpen ? this.close() : this.open();
  }

  /** Send a message as the customer; resolves with its client id. */
  async send(text, { silent } = {}) {
    const message = String(text).trim();
    if (!message || this.isTooLong(message)) throw new RangeError(`send takes 1 to ${this.longest} characters.`);
    if (!silent) this.open({ isQuiet: true });
    if (this.log.isEnded) this.newConversation();
    return this.submit(message);
  }

  prefill(text) {
    this.view.composer.text = text;
    return this.open();
  }

  requestHuman(reason) {
    this.page();
    this.connection.deliver({ type: "request_human", reason: String(reason || "").slice(0, 500) });
    return this.open({ isQuiet: true });
  }

  /** Start a new conversation; the old one is then listed among the earlier ones. */
  newConversation() {
    this.leave(this.own, this.isOpen);
  }

  async endConversation() {
    const { conversation } = this.session.kept;
    if (conversation) await this.ask(`conversations/${conversation}/end`, { method: "POST" });
  }

  async rate(score, comment = "", message, reason) {
    if (![1, 2, 3, 4, 5].includes(score)) throw new RangeError("rate takes 1 to 5.");
    this.connection.deliver({ type: "rate", score, comment, message, reason });
    this.view.announcer.status(this.t("thanks"));
    this.element.emit("rating", { score });
  }

  async identify(who) {
    this.identity.set(who);
    const token = await this.token();
    const { sub, until } = this.session.kept;
    const { connection } = this;
    const isUp = connection.state !== "idle";
    if (sub && sub !== subjectOf(token)) this.#changeCustomer(isUp);
    // A ticket with the token binds the visitor's conversation to the customer.
    else if (token && (isUp || until > Date.now())) await connection.connect();
  }

  logout() {
    this.identity.set();
    this.connection.send({ type: "logout" });
    this.#changeCustomer(this.isOpen);
  }

  /** An attribute of the element changed. */
  async refresh(name) {
    if (/^l(ocale|ang)$/.test(name)) await this.#translate();
    update(this);
  }

  /** Switch the chat to the element's language; if the texts cannot be fetched, the language stays the same. */
  async #translate() {
    const { config, element, log, view } = this;
    const { language } = element;
    const i18n = await I18n.load(language).catch(() => element.emit("error", { code: "not_loaded" }));
    // A different language may have been chosen in the meantime.
    if (!i18n || language !== element.language) return;
    this.i18n = i18n;
    if (config.locale) i18n.writeAs(config.locale, config.hour12);
    view.rebuild(log.items.values());
  }

  /** The element is back in the page, or a chat is in progress: connect again. */
  wake() {
    if (this.isOpen || this.isTheirs) this.connection.start();
  }

  sleep() {
    this.connection.stop();
  }

  destroy() {
    clearInterval(this.ticking);
    this.connection.stop();
    this.removed.abort();
  }

  // --- User actions.

  escape() {
    if (this.view.node.querySelector(".menu")) toggleMenu(this);
    else if (this.view.page) this.back();
    else if (this.element.layout === "bubble") this.close();
  }

  back() {
    this.page();
    this.focus();
  }

  /** Show a page of the menu, or the chat again. */
  page(title, ...nodes) {
    this.title = title;
    this.view.drawPage(nodes);
    update(this);
  }

  focus() {
    // Opening the chat by touch should not bring up the keyboard.
    const { node, composer } = this.view;
    (matchMedia("(pointer: coarse)").matches ? node : composer.input).focus({ preventScroll: true });
  }

  /** Add and send what the customer wrote, pressed or filled in; return its client id. */
  submit(text, frame) {
    this.page();
    this.view.announcer.clear();
    const item = this.log.addOwn(`${Date.now()}-${Math.random()}`, text, frame);
    update(this);
    this.view.follow(item);
    this.connection.start();
    this.transmit(item);
    return item.key;
  }

  /** Send a message that is already in the log. It keeps its id, so that it is stored once. */
  transmit({ key, text, frame }) {
    const isSent = this.connection.send({ ...frame, client_id: key });
    this.log.put(key, { state: isSent ? "sending" : "waiting" });
    this.keepUnsent();
    if (isSent) this.element.emit("message:sent", { client_id: key, ...this.exposedText(text) });
  }

  keepUnsent() {
    this.session.keepForTab({ unsent: this.log.unsent.map(({ key, text, frame }) => ({ key, text, frame })) });
  }

  exposedText(text) {
    return this.element.hasAttribute("expose-messages") && { text };
  }

  /** Confirm a card, with a fresh identity token if the old one has expired. */
  async confirm(item) {
    if (this.isElsewhere) return this.#confirmThere(item);
    const { key, digest } = item;
    const frame = this.decide(item, { type: "confirm", request: key, digest });
    if (this.identity.isExpired && this.identity.renew) await renewIdentity(this);
    return this.connection.send(frame);
  }

  decline(item) {
    this.connection.send(this.decide(item, { type: "decline", request: item.key }));
  }

  /** Keep what was sent until the event that reports the outcome; a problem reopens the card with the reason. */
  decide({ key }, deciding, problem) {
    this.log.put(key, { deciding, problem });
    return deciding;
  }

  /** The channel requires confirmations on the hosted page, where the shop's scripts cannot click. */
  get isElsewhere() {
    return this.config.confirm_on_hosted_page && this.element.layout !== "fullscreen";
  }

  async #confirmThere(item) {
    // Opened by the click itself: after a request, browsers would block it as a pop-up.
    const there = window.open("about:blank");
    try {
      const { url } = await this.ask("widget/codes", { body: await credentials(this) });
      there.opener = null;
      there.location = url;
    } catch (error) {
      there?.close();
      this.decide(item, false, error.code);
    }
  }

  /**
   * Say, until the customer writes again, that their conversation has been deleted (by the team, or because it was too
   * old), or that it can no longer be opened.
   */
  tellGone(text) {
    this.gone = text;
    this.missing = undefined; // what to say once a new ticket is issued
    this.view.announcer.status(this.t(text));
    update(this);
  }

  refuse(code) {
    this.view.composer.refuse(this.i18n.error(code));
  }

  // --- For the other modules.

  get t() {
    return this.i18n.t;
  }

  /**
   * Return this chat with the texts to show around an item. They are in the language of the item's text or, if that is
   * unknown, in the one in which the item was first shown. Until these texts are fetched, and if they cannot be, the
   * page's language is used. Anything new is drawn and announced once `texts` resolves, which takes at most a second.
   */
  speaking({ shownIn, locale = shownIn }) {
    const { log, speakers } = this;
    if (!locale || base(locale) === this.i18n.language) return this;
    if (!speakers[locale]) {
      speakers[locale] = this;
      const fetched = I18n.load(locale).then((i18n) => {
        // Bound, because a method that is called on a proxy cannot reach the chat's private methods.
        speakers[locale] = new Proxy(this, { get: (chat, name) => ({ i18n, t: i18n.t })[name] || chat[name]?.bind?.(chat) || chat[name] });
        log.items.forEach(log.changed);
      }, () => setTimeout(() => (speakers[locale] = null), RETRY_MS));
      this.texts = Promise.all([this.texts, Promise.race([fetched, new Promise((go) => setTimeout(go, LONGEST_WAIT_MS))])]);
    }
    return speakers[locale];
  }

  get channel() {
    return this.element.option("channel");
  }

  /** The maximum length of a message in characters. */
  get longest() {
    return this.config.limits?.message_characters || 4000;
  }

  /** Characters are counted by code point, as the server does. */
  isTooLong(text) {
    return [...text].length > this.longest;
  }

  /** Whether the stored conversation may be opened; if the customer had signed in, the page must identify them. */
  get isTheirs() {
    const { conversation, sub } = this.session.kept;
    return conversation && (!sub || this.element.identity);
  }

  /** What is kept about this customer when they leave a conversation. */
  get own() {
    const { visitor, sub } = this.session.kept;
    return { visitor, sub };
  }

  /** Make an HTTP request as the customer. */
  async ask(path, options = {}) {
    const credential = options.body ? "" : (await this.token()) || this.session.kept.visitor;
    return request(`${this.element.endpoint}/api/v1/${path}`, { ...options, credential });
  }

  /** The identity token, or an empty string. If the page's token function fails, emit an event and return null. */
  async token(isFresh) {
    try {
      return await this.identity.token(isFresh);
    } catch (error) {
      this.element.emit("identity:error", { code: "no_token", message: String(error) });
      return null;
    }
  }

  /** Leave the conversation: this browser keeps only `kept`, and the screen is cleared. */
  leave(kept, goesOn) {
    this.session.forget(kept);
    this.clear(goesOn);
  }

  /** Nothing of the previous customer may stay on this screen: neither their chat nor their draft. */
  #changeCustomer(goesOn) {
    this.leave({}, goesOn);
    this.view.composer.text = "";
  }

  /** Clear the screen except for the draft, which may be for the next conversation. */
  clear(goesOn) {
    const { connection, element, view } = this;
    connection.stop();
    connection.seq = 0;
    connection.kept = [];
    this.announceAfter = this.gone = this.missing = undefined;
    this.log.clear();
    this.keepUnsent();
    view.rebuild([]);
    view.announcer.clear();
    element.showUnread(0);
    view.peek.hidden = true;
    element.state.conversation = null;
    this.page();
    if (goesOn) connection.start();
  }

  async #events(after) {
    const { results, next } = await this.ask(`conversations/${this.session.kept.conversation}/events?after=${after}&limit=500`);
    return next ? [...results, ...(await this.#events(results.at(-1).seq))] : results;
  }

  #setOpen(isOpen) {
    this.isOpen = isOpen;
    this.fit(isOpen);
    this.session.keepForTab({ isOpen });
    this.element.setOpen(isOpen);
    this.view.flush();
    updateUnread(this);
  }
}

/**
 * The chat: it joins what the customer does, the line to the server, the log and the view. It decides nothing about
 * money or people; it sends what was pressed and shows what the log says.
 */

import { admitted, proof, redeemed, renewed } from "./admission.js";
import { request } from "./api.js";
import { expiry } from "./cards.js";
import { Connection } from "./connection.js";
import { hear, tell } from "./hearing.js";
import { Identity, subjectOf } from "./identity.js";
import { Log } from "./log.js";
import { toggleMenu } from "./menu.js";
import { fitting } from "./screen.js";
import { Session } from "./session.js";
import { look, show, showLine } from "./showing.js";
import { View } from "./view.js";
import { Words } from "./words.js";

const TICK_MS = 15_000;

export class Chat {
  gone = new AbortController();
  config = {};
  identity = new Identity();
  log = new Log((item) => this.view.note(item));
  say = (key, gaps) => this.words.say(key, gaps);
  human = (reason) => this.requestHuman(reason);

  constructor(element, words) {
    const { signal } = this.gone;
    this.element = element;
    this.words = words;
    this.session = new Session(element, signal, () => this.clear(this.isTheirs));
    this.identity.set(element.identity);
    this.view = new View(this);
    const heard = { state: (state, code) => showLine(this, state, code), frame: (frame) => hear(this, frame), event: (event) => tell(this, event) };
    this.connection = new Connection({ ticket: () => admitted(this), events: (after) => this.#events(after) }, heard, signal);
    this.fit = fitting(element, this.view.node, signal);
    element.frame.append(this.view.peek, this.view.node);
    addEventListener("visibilitychange", () => look(this), { signal });
    this.ticking = setInterval(() => this.#tick(), TICK_MS);
    const { draft, unsent = [] } = this.session.tab;
    if (draft) this.view.composer.text = draft;
    for (const { key, text, frame } of unsent) this.log.say(key, text, frame);
    show(this);
  }

  // --- The API of the page.

  async open({ isQuiet } = {}) {
    if (!this.isOpen) this.#to(true);
    if (!isQuiet) this.focus();
    await redeemed(this);
    this.connection.start();
  }

  close() {
    if (!this.isOpen) return;
    const had = this.view.focused;
    this.#to(false);
    if (had) this.element.launcher.focus();
  }

  toggle() {
    return this.isOpen ? this.close() : this.open();
  }

  hide() {
    this.close();
  }

  /** Say something as the customer; resolves with the message's client id. */
  async send(text, { silent } = {}) {
    const said = String(text).trim();
    if (!said || this.isTooLong(said)) throw new RangeError(`send takes 1 to ${this.longest} characters.`);
    if (!silent) this.open({ isQuiet: true });
    if (this.log.isEnded) this.newConversation();
    return this.utter(said);
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

  /** Begin anew; the old chat stays among the earlier ones. */
  newConversation() {
    this.leave(this.own, this.isOpen);
  }

  async endConversation() {
    const { conversation } = this.session.kept;
    if (conversation) await this.ask(`conversations/${conversation}/end`, { method: "POST" });
  }

  async rate(score, comment = "", message) {
    if (![1, 2, 3, 4, 5].includes(score)) throw new RangeError("rate takes 1 to 5.");
    this.connection.deliver({ type: "rate", score, comment, message });
    this.view.speech.status(this.say("thanks"));
    this.element.emit("rating", { score });
  }

  async identify(who) {
    this.identity.set(who);
    const token = await this.token();
    const { sub, until } = this.session.kept;
    // Somebody else is signed in now: nothing of the other's chat stays on this screen.
    const { connection } = this;
    const isUp = connection.state !== "idle";
    if (sub && sub !== subjectOf(token)) this.leave({}, isUp);
    // A ticket with the token makes the visitor's conversation theirs.
    else if (token && (isUp || until > Date.now())) await connection.connect();
  }

  logout() {
    this.identity.set();
    this.connection.send({ type: "logout" });
    this.leave({}, this.isOpen);
  }

  /** An attribute of the element changed. */
  async refresh(name) {
    if (name === "locale") await this.#translate();
    show(this);
  }

  /** Put the chat into the element's language; where its texts cannot be fetched, it stays as it is. */
  async #translate() {
    const { element, log, view } = this;
    const { language } = element;
    const words = await Words.load(language).catch(() => element.emit("error", { code: "not_loaded" }));
    // Another language may have been chosen meanwhile.
    if (!words || language !== element.language) return;
    this.words = words;
    view.rebuild(log.items.values());
  }

  /** The element is in the page again, or a chat is under way: go on listening. */
  wake() {
    if (this.isOpen || this.isTheirs) this.connection.start();
  }

  sleep() {
    this.connection.stop();
  }

  destroy() {
    clearInterval(this.ticking);
    this.connection.stop();
    this.gone.abort();
  }

  // --- What the customer presses.

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
    show(this);
  }

  focus() {
    // A finger that opened the chat has not asked for the keyboard.
    const { node, composer } = this.view;
    (matchMedia("(pointer: coarse)").matches ? node : composer.input).focus({ preventScroll: true });
  }

  /** Say what was written, pressed or filled in; returns its client id. */
  utter(text, frame) {
    this.page();
    this.view.speech.clear();
    const item = this.log.say(`${Date.now()}-${Math.random()}`, text, frame);
    show(this);
    this.view.follow(item);
    this.connection.start();
    this.post(item);
    return item.key;
  }

  /** Send a message that is in the log already; it keeps its id, so that it is stored once. */
  post({ key, text, frame }) {
    const isSent = this.connection.send({ ...frame, client_id: key });
    this.log.put(key, { state: isSent ? "sending" : "waiting" });
    this.keepUnsent();
    if (isSent) this.element.emit("message:sent", { client_id: key, ...this.exposed(text) });
  }

  keepUnsent() {
    this.session.keepHere({ unsent: this.log.unsent.map(({ key, text, frame }) => ({ key, text, frame })) });
  }

  exposed(text) {
    return this.element.hasAttribute("expose-messages") && { text };
  }

  /** Send a card's confirmation, with a fresh identity if the old one has run out. */
  async confirm(item) {
    if (this.isElsewhere) return this.#confirmThere(item);
    const { key, digest } = item;
    const frame = this.decide(item, { type: "confirm", request: key, digest });
    if (this.identity.isExpired && this.identity.renew) await renewed(this);
    return this.connection.send(frame);
  }

  decline(item) {
    this.connection.send(this.decide(item, { type: "decline", request: item.key }));
  }

  /** Between the click and the event that tells, what was sent; a problem gives the card back, with the reason. */
  decide({ key }, deciding, code) {
    this.log.put(key, { deciding, problem: code && this.words.error(code) });
    return deciding;
  }

  /** The channel wants confirmations on our own page, which the shop's scripts cannot press. */
  get isElsewhere() {
    return this.config.confirm_on_hosted_page && this.element.layout !== "fullscreen";
  }

  async #confirmThere(item) {
    // Opened by the click itself: after a request, browsers take it for a pop-up.
    const there = window.open("about:blank");
    try {
      const { url } = await this.ask("widget/codes", { body: await proof(this) });
      there.opener = null;
      there.location = url;
    } catch (error) {
      there?.close();
      this.decide(item, false, error.code);
    }
  }

  refuse(code) {
    this.view.composer.refuse(this.words.error(code));
  }

  // --- What the modules beside this one need.

  get channel() {
    return this.element.option("channel");
  }

  /** How many characters a message may have. */
  get longest() {
    return this.config.limits?.message_characters || 4000;
  }

  /** Characters are counted as the server counts them: by code point. */
  isTooLong(text) {
    return [...text].length > this.longest;
  }

  /** Whether the kept conversation is of who is there; somebody's own waits until the page says who that is. */
  get isTheirs() {
    const { conversation, sub } = this.session.kept;
    return conversation && (!sub || this.element.identity);
  }

  /** What stays of this customer when a conversation is left. */
  get own() {
    const { visitor, sub } = this.session.kept;
    return { visitor, sub };
  }

  /** Run a request over HTTP in the customer's name. */
  async ask(path, options = {}) {
    const credential = options.body ? "" : (await this.token()) || this.session.kept.visitor;
    return request(`${this.element.endpoint}/api/v1/${path}`, { ...options, credential });
  }

  /** The identity token, empty where there is none; null, and an event for the page, where its function fails. */
  async token(isFresh) {
    try {
      return await this.identity.token(isFresh);
    } catch (error) {
      this.element.emit("identity:error", { code: "no_token", message: String(error) });
      return null;
    }
  }

  /** Leave the conversation: nothing of it stays on the screen or in this browser but `kept`. */
  leave(kept, goesOn) {
    this.session.forget(kept);
    this.clear(goesOn);
  }

  clear(goesOn) {
    const { connection, element, view } = this;
    connection.stop();
    connection.seq = 0;
    connection.kept = [];
    this.newsAfter = undefined;
    this.log.clear();
    view.rebuild([]);
    element.showUnread(0);
    view.peek.hidden = true;
    element.state.conversation = null;
    show(this);
    if (goesOn) connection.start();
  }

  async #events(after) {
    const { results, next } = await this.ask(`conversations/${this.session.kept.conversation}/events?after=${after}&limit=500`);
    return next ? [...results, ...(await this.#events(results.at(-1).seq))] : results;
  }

  #to(isOpen) {
    this.isOpen = isOpen;
    this.fit(isOpen);
    this.session.keepHere({ isOpen });
    this.element.setOpen(isOpen);
    this.view.flush();
    look(this);
  }

  #tick() {
    for (const line of this.view.node.querySelectorAll("[data-expires]")) line.textContent = expiry(line.dataset.expires, this);
  }
}

// The live queue: rows move between groups, and the focus stays in the list.

import { announce, byId, el, icon } from "./dom.js";
import { gettext } from "./text.js";
import { tickQueue } from "./times.js";

const TITLES = {
  mine: gettext("Assigned to you"),
  waiting: gettext("Waiting"),
  aside: gettext("Snoozed by you"),
  colleagues: gettext("Assigned to colleagues"),
};
const LISTED = { open: ["mine", "waiting", "aside", "colleagues"], mine: ["mine", "aside"], waiting: ["waiting"] };
const ACTIVE_GROUPS = ["mine", "waiting", "colleagues"];

export class Queue {
  /** `current` is the open ticket, if any. Pages without the column still get alerts. */
  constructor(socket, current, badges, alerts) {
    this.list = byId("queue");
    this.listed = LISTED[this.list?.dataset.shown] ?? [];
    Object.assign(this, { current, badges, alerts });
    this.rows = new Map();
    socket.on("queue", (frame) => this.#take(frame));
    socket.on("ticket", (frame) => this.#change(frame.row));
    if (this.list) {
      setInterval(() => tickQueue(this.list), 20_000);
      this.#waitForRelease();
    }
  }

  /** Redrawing a row between press and release would swallow the click. */
  #waitForRelease() {
    this.list.addEventListener("pointerdown", () => (this.isPressed = true));
    const release = () => {
      this.isPressed = false;
      if (this.isBehind) this.#draw();
    };
    for (const name of ["pointerup", "pointercancel"]) addEventListener(name, () => setTimeout(release)); // after the click
  }

  /** Return the links of all rows, in the order shown. */
  links() {
    return [...document.querySelectorAll("#queue .q")];
  }

  #take({ counts, rows }) {
    this.badges.update(counts);
    if (!rows) return;
    this.rows = new Map(rows.map((row) => [row.ticket, row]));
    this.#draw();
  }

  #change(row) {
    const before = this.rows.get(row.ticket);
    if (row.group === "ended") this.rows.delete(row.ticket);
    else this.rows.set(row.ticket, row);
    this.#draw();
    const news = { name: row.who, text: row.what };
    if (row.group === "waiting" && before?.group !== "waiting") this.#alert(gettext("{name} is waiting: {text}", news), row);
    const isRead = row.ticket === this.current && !document.hidden;
    if (row.group === "mine" && row.is_new && !isRead && (before?.what !== row.what || before.since_at !== row.since_at)) {
      this.#alert(gettext("{name} wrote: {text}", news), row);
    }
  }

  #alert(text, row) {
    announce(text);
    this.alerts.notify(text, row.ticket);
  }

  #draw() {
    if (!this.listed.length) return;
    this.isBehind = this.isPressed;
    if (this.isPressed) return;
    const active = document.activeElement;
    const focused = this.list.contains(active) ? active.closest("[data-ticket]")?.dataset.ticket : null;
    const sections = this.listed.map((group) => this.#section(group)).filter(Boolean);
    for (const old of this.list.querySelectorAll("[data-group]")) old.remove();
    this.list.append(...sections);
    tickQueue(this.list);
    if (focused) this.#focusAgain(focused);
  }

  #focusAgain(ticket) {
    const link = this.list.querySelector(`[data-ticket="${ticket}"] .q`) ?? this.links()[0];
    link?.focus({ preventScroll: true });
  }

  #section(group) {
    const rows = [...this.rows.values()].filter((row) => row.group === group).sort(byRank);
    if (!rows.length && group !== "waiting") return null;
    const hint = group === "waiting" && rows.length ? el("span", {}, gettext("longest wait first")) : null;
    const more = this.list.querySelector(`[data-group=${group}] .more`);
    return el(
      "section", { "aria-labelledby": group, "data-group": group },
      el("div", { class: "sep" }, el("h2", { id: group }, TITLES[group]), hint),
      el("ul", { class: "rows" }, ...rows.map((row) => this.#row(row))),
      rows.length ? null : el("p", { class: "none" }, gettext("The queue is empty.")),
      more,
    );
  }

  #row(row) {
    const shown = this.list.dataset.shown;
    const suffix = shown === "open" ? "" : `?show=${shown}`;
    const isCounted = ACTIVE_GROUPS.includes(row.group) && (row.group === "waiting" || row.is_new);
    return el("li", { "data-ticket": row.ticket }, el(
      "a",
      {
        class: row.is_new ? "q new" : "q",
        href: `${document.body.dataset.desk}tickets/${row.ticket}/${suffix}`,
        "aria-current": row.ticket === this.current && "true",
      },
      el("span", { class: `avatar av-${row.hue}`, "aria-hidden": "true" }, row.initials || icon("person", "s")),
      el("span", { class: "l1" }, el("b", { dir: "auto" }, row.who), " ",
        el("time", { class: row.level, datetime: row.since_at, "data-counts": isCounted }, row.since)),
      el("span", { class: "l2" }, el("span", { class: "what", dir: "auto" }, row.what), " ",
        ...(row.priority ? [el("span", { class: "tag warn" }, row.priority)] : [])),
      el("span", { class: "l3" }, icon(row.icon), el("span", { class: "why" }, row.reason), ...tagsOf(row)),
    ));
  }
}

function tagsOf(row) {
  const language = row.language && el("span", { class: "lang" }, el("span", { class: "vh" }, gettext("Language"), " "), row.language);
  return [
    " ", language,
    row.group === "aside" && el("span", { class: "tag" }, gettext("Snoozed")),
    row.holder && el("span", { class: "with", dir: "auto" }, gettext("with {name}", { name: row.holder })),
  ].filter(Boolean);
}

function byRank(one, other) {
  for (const place of one.rank.keys()) {
    if (one.rank[place] !== other.rank[place]) return one.rank[place] - other.rank[place];
  }
  return one.ticket < other.ticket ? -1 : 1;
}

// Counts in the navigation rail, above the queue, in the page title and in the empty conversation column.

import { byId } from "./dom.js";

export class Badges {
  constructor(alerts) {
    this.alerts = alerts;
    this.waiting = null;
  }

  update(counts) {
    this.waiting = counts.waiting;
    for (const [name, count] of Object.entries(counts)) {
      for (const place of document.querySelectorAll(`[data-count=${name}]`)) show(place, count);
      for (const words of document.querySelectorAll(`[data-if=${name}]`)) words.hidden = count === 0;
      for (const words of document.querySelectorAll(`[data-unless=${name}]`)) words.hidden = count !== 0;
    }
    this.#showChanged(counts.approvals);
    this.alerts.badge(counts.waiting);
  }

  /** Tell the reader of the approvals page that its list is outdated, without changing it while they read. */
  #showChanged(approvals) {
    const notice = byId("list-changed");
    if (notice) notice.hidden = Number(notice.dataset.shown) === approvals;
  }
}

function show(place, count) {
  const most = Number(place.dataset.most);
  place.textContent = count > most ? `${most}+` : String(count);
}

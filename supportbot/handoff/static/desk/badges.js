// The numbers: in the rail, above the queue, in the title, and what the empty middle of the desk says of them.

import { byId } from "./dom.js";

export class Badges {
  constructor(alerts) {
    this.alerts = alerts;
    this.waiting = null;
  }

  take(counts) {
    this.waiting = counts.waiting;
    for (const [name, count] of Object.entries(counts)) {
      for (const place of document.querySelectorAll(`[data-count=${name}]`)) show(place, count);
      for (const words of document.querySelectorAll(`[data-if=${name}]`)) words.hidden = count === 0;
      for (const words of document.querySelectorAll(`[data-unless=${name}]`)) words.hidden = count !== 0;
    }
    this.#showChanged(counts.approvals);
    this.alerts.badge(counts.waiting);
  }

  /** Say on the approvals page that its list is not what waits any more; the reader decides when it changes. */
  #showChanged(approvals) {
    const notice = byId("list-changed");
    if (notice) notice.hidden = Number(notice.dataset.shown) === approvals;
  }
}

function show(place, count) {
  const most = Number(place.dataset.most);
  place.textContent = count > most ? `${most}+` : String(count);
}

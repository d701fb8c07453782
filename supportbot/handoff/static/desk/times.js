// Times in the reader's time zone, and waiting times that stay current while the page is open.

import { LANGUAGE, gettext, ngettext } from "./text.js";

const MINUTE = 60_000;

/** Return the time of day, with the day unless it is today, and the year unless it is this one. */
export function clock(iso) {
  const [moment, today] = [new Date(iso), new Date()];
  const time = moment.toLocaleTimeString(LANGUAGE, { hour: "2-digit", minute: "2-digit" });
  if (moment.toDateString() === today.toDateString()) return time;
  const year = moment.getFullYear() === today.getFullYear() ? {} : { year: "numeric" };
  return `${moment.toLocaleDateString(LANGUAGE, { day: "numeric", month: "short", ...year })}, ${time}`;
}

/** Return a duration in its largest unit, worded as on the server. */
export function durationLabel(milliseconds) {
  const minutes = Math.floor(milliseconds / MINUTE);
  if (minutes < 1) return gettext("now");
  if (minutes < 60) return gettext("{number} min", { number: minutes });
  if (minutes < 24 * 60) return gettext("{number} h", { number: Math.floor(minutes / 60) });
  const days = Math.floor(minutes / (24 * 60));
  return ngettext("{number} day", "{number} days", days);
}

/** Convert every time on the page from the workspace's time zone to the reader's. */
export function localise(root = document) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    if (!time.closest("#queue")) time.textContent = clock(time.getAttribute("datetime"));
  }
}

/** Update the waiting times of the queue; a wait turns amber, then red and is labelled late. */
export function tickQueue(queue) {
  const { soon, late } = queue.dataset;
  for (const time of queue.querySelectorAll("time[data-counts]")) showWait(time, Number(soon), Number(late));
  for (const time of queue.querySelectorAll("time:not([data-counts])")) {
    time.textContent = durationLabel(Date.now() - Date.parse(time.getAttribute("datetime")));
  }
}

function showWait(time, soonSeconds, lateSeconds) {
  const waited = Date.now() - Date.parse(time.getAttribute("datetime"));
  const isLate = waited >= lateSeconds * 1000;
  time.className = isLate ? "late" : waited >= soonSeconds * 1000 ? "soon" : "";
  time.textContent = isLate ? gettext("{time}, late", { time: durationLabel(waited) }) : durationLabel(waited);
}

// Times in the reader's time zone, and waiting times that stay current while the page is open.

const MINUTE = 60_000;

/** Return the time of day, with the day unless it is today, and the year unless it is this one. */
export function clock(iso) {
  const [moment, today] = [new Date(iso), new Date()];
  const time = moment.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (moment.toDateString() === today.toDateString()) return time;
  const year = moment.getFullYear() === today.getFullYear() ? {} : { year: "numeric" };
  return `${moment.toLocaleDateString("en-GB", { day: "numeric", month: "short", ...year })} ${time}`;
}

/** Return a duration in its largest unit, worded as on the server. */
export function durationLabel(milliseconds) {
  const minutes = Math.floor(milliseconds / MINUTE);
  if (minutes < 1) return "now";
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h`;
  const days = Math.floor(minutes / (24 * 60));
  return days === 1 ? "1 day" : `${days} days`;
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
  time.textContent = durationLabel(waited) + (isLate ? ", late" : "");
}

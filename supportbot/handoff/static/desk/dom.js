// Builds elements; text from people is only ever set as text, and answers as HTML that the server cleaned (thread.js).

export const byId = (id) => document.getElementById(id);

/** Return an element; attributes that are false, null or undefined are left out. */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

/** Return an icon of the page's sprite, hidden from screen readers. */
export function icon(name, kind = "") {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `${document.body.dataset.icons}#i-${name}`);
  drawing.setAttribute("class", `i ${kind}`.trim());
  drawing.setAttribute("aria-hidden", "true");
  drawing.append(use);
  return drawing;
}

/** Announce a text to screen readers, at most every five seconds; only the newest one in between is kept. */
export function announce(text) {
  announce.next = text;
  if (announce.timer) return;
  byId("said").textContent = text;
  announce.timer = setTimeout(() => {
    announce.timer = 0;
    if (announce.next !== text) announce(announce.next);
  }, 5000);
}

/** Return the CSRF token, which every form of the page contains. */
export const csrfToken = () => document.querySelector("input[name=csrfmiddlewaretoken]")?.value ?? "";

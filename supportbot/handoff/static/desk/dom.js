// Building elements: what people and models wrote is only ever set as text.

export const byId = (id) => document.getElementById(id);

/** Return an element; `properties` are attributes, of which false and null are left out. */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

/** Return an icon of the page's own sheet; it says nothing to a screen reader. */
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

/** Say something to screen readers, at most every five seconds; the newest of what came meanwhile is said then. */
export function say(words) {
  const spoken = byId("said");
  say.next = words;
  if (say.timer) return;
  spoken.textContent = words;
  say.timer = setTimeout(() => {
    say.timer = 0;
    if (say.next !== words) say(say.next);
  }, 5000);
}

/** Return the value of the page's CSRF cookie's twin: every form holds it. */
export const csrfToken = () => document.querySelector("input[name=csrfmiddlewaretoken]")?.value ?? "";

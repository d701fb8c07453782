/** The loader's functions for building nodes, our icons, and buttons. */

const { h, set, icon: drawn } = customElements.get("support-bot");

// Each is drawn in one stroke, on a grid of 20.
const PATHS = {
  alert: "M10 3 17.5 16h-15zM10 8v4M10 14v0",
  book: "M10 5.2C8.6 4 6.6 3.6 3.3 3.8V15c3.3-.1 5.3.3 6.7 1.5 1.4-1.2 3.4-1.6 6.7-1.5V3.8C13.4 3.6 11.4 4 10 5.2zv11.3",
  card: "M2.8 4.8h14.4v10.4H2.8zM2.8 8.3h14.4M6 12h2.3",
  check: "m4.3 10.5 3.9 3.9L15.7 6",
  close: "m5 5 10 10M15 5 5 15",
  copy: "M7 7h9.5v9.5H7zM13 4H4v9",
  down: "m5 7.8 5 5 5-5",
  good: "M6.5 9v7.3H3.8V9zl3-6c1.4 0 2.2 1 2 2.4L11 8h4.2a1.5 1.5 0 0 1 1.5 1.9l-1 5a1.6 1.6 0 0 1-1.6 1.3H6.5",
  history: "M10 3.5a6.5 6.5 0 1 0 .1 0M10 6v4l2.8 2",
  load: "M10 3.5V13M5 8.3l5 4.7 5-4.7M3.5 13.5v3h13v-3",
  lock: "M4.3 8.8h11.5v8H4.3zM6.8 8.8V6.3a3.3 3.3 0 0 1 6.5 0v2.5",
  more: "M4 10h1M9.5 10h1M15 10h1",
  person: "M13.3 6.8a3.3 3.3 0 1 1-6.6 0 3.3 3.3 0 0 1 6.6 0zM3.8 16.8c.5-3 3-4.6 6.2-4.6s5.7 1.6 6.2 4.6",
  plus: "M10 4v12M4 10h12",
  right: "m7.8 5 5 5-5 5",
  send: "M10 16V4.5M5 9.3l5-4.8 5 4.8",
  stop: "M6 6h8v8H6z",
  trash: "M3.8 5.5h12.4M8 5V3.5h4V5M5.3 5.8l.7 11h8l.7-11",
};

export { h, set };

/** An icon. It always has a text beside it, or is in a button with an accessible name. */
export const icon = (name, size) => drawn(PATHS[name], size);

/** A button: its classes, its handler, its content. */
export const btn = (look, onclick, ...parts) => h(`button.btn${look}`, { onclick }, parts);

/** A button with only an icon, which needs an accessible name. */
export const iconBtn = (look, sign, name, onclick) => btn(`.quiet.icon${look}`, onclick, { "aria-label": name, title: name }, icon(sign));

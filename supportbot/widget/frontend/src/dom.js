/** The loader's functions for building nodes, our icons, and buttons. */

const { h, set, icon: drawIcon } = customElements.get("support-bot");

// Each is drawn in one stroke, on a grid of 20.
const PATHS = {
  alert: "M10 3 17.5 16h-15zM10 8v4M10 14v0",
  book: "M10 5Q7.5 3.5 3.5 3.5V15q4 0 6.5 1.5Q12.5 15 16.5 15V3.5q-4 0-6.5 1.5zv11.5",
  card: "M3 5h14v10H3zM3 8.5h14M6 12h2",
  check: "m4 10.5 4 4L16 6",
  close: "m5 5 10 10M15 5 5 15",
  copy: "M7 7h9.5v9.5H7zM13 4H4v9",
  down: "m5 8 5 5 5-5",
  good: "M6.5 9v7h-3V9zl3-6c1.5 0 2 1 2 2.5L11 8h4a1.5 1.5 0 0 1 1.5 2l-1 5a1.5 1.5 0 0 1-1.5 1h-7.5",
  history: "M10 3.5a6.5 6.5 0 1 0 .1 0M10 6v4l2.8 2",
  load: "M10 3.5V13M5 8l5 5 5-5M3.5 13.5v3h13v-3",
  lock: "M4 9h12v8H4zM7 9V6a3 3 0 0 1 6 0v3",
  more: "M4 10h1M9.5 10h1M15 10h1",
  person: "M10 4a3 3 0 1 0 .1 0M4 17q1-4.5 6-4.5t6 4.5",
  plus: "M10 4v12M4 10h12",
  right: "m8 5 5 5-5 5",
  send: "M10 16V4.5m-5 5 5-5 5 5",
  stop: "M6 6h8v8H6z",
  trash: "M4 5.5h12M8 5V3.5h4V5M5 6l1 11h8l1-11",
};

export { h, set, drawIcon };

/** An icon. It always has a text beside it, or is in a button with an accessible name. */
export const icon = (name, size) => drawIcon(PATHS[name], size);

/** A button: its classes, its handler, its content. */
export const btn = (look, onclick, ...parts) => h(`button.btn${look}`, { onclick }, parts);

/** A button with only an icon, which needs an accessible name. */
export const iconBtn = (look, sign, name, onclick) => btn(`.quiet.icon${look}`, onclick, { "aria-label": name, title: name }, icon(sign));

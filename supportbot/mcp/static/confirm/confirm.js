/**
 * The page of one card. The code in the fragment is exchanged once for a token that lives in this script's memory; all
 * texts come from the server and are set as text. A click changes nothing by itself: the server's response is shown.
 */

const POLL_MS = 2000;
const MOVING = new Set(["awaiting_approval", "queued", "executing", "unknown", "proposed", "awaiting_confirmation"]);
const main = document.querySelector("main");
const [title, message, origin, note, rows, problem, buttons] = ["title", "message", "origin", "note", "rows", "problem", "buttons"].map((id) => document.getElementById(id));
let token = "";
let isBusy = false;

async function call(step, body) {
  const answer = await fetch(step, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    credentials: "omit",
    cache: "no-store",
  });
  const found = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(found.message), { isRefusal: answer.status < 500 });
  return found;
}

function show(found) {
  title.textContent = found.title;
  document.title = found.title;
  message.textContent = found.message;
  origin.textContent = found.origin;
  origin.hidden = !found.origin;
  note.textContent = found.note;
  note.hidden = !found.note;
  rows.replaceChildren(...found.rows.map(({ label, value }) => row(label, value)));
  complain(found.problem);
  buttons.replaceChildren(...offered(found));
}

function row(label, value) {
  const line = document.createElement("div");
  const name = document.createElement("dt");
  const text = document.createElement("dd");
  const isolated = document.createElement("bdi");
  name.textContent = label;
  isolated.textContent = value;
  text.append(isolated);
  line.append(name, text);
  return line;
}

function offered({ can_confirm: canConfirm, can_withdraw: canWithdraw, button, digest }) {
  if (canConfirm) return [press(button, "primary", () => decide("confirm", { token, digest })), press(main.dataset.decline, "", () => decide("decline", { token }))];
  return canWithdraw ? [press(main.dataset.withdraw, "quiet", () => decide("decline", { token }))] : [];
}

function press(text, kind, then) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = `btn lg ${kind}`;
  button.textContent = text;
  button.addEventListener("click", then);
  return button;
}

async function decide(step, body) {
  if (isBusy) return;
  isBusy = true;
  for (const button of buttons.children) button.disabled = true;
  try {
    show(await call(step, body));
    title.focus();
  } catch (error) {
    complain(error.isRefusal ? error.message : main.dataset.offline);
    for (const button of buttons.children) button.disabled = false;
  } finally {
    isBusy = false;
  }
}

function complain(text) {
  problem.textContent = text;
  problem.hidden = !text;
}

/** Request the state repeatedly until it is final. */
async function follow(state) {
  let known = state;
  while (MOVING.has(known)) {
    await new Promise((resume) => setTimeout(resume, POLL_MS));
    if (isBusy || document.hidden) continue;
    try {
      const found = await call("state", { token });
      // A card that only waits stays as it is: its buttons keep the focus.
      if (found.state !== known && !isBusy) show(found);
      known = found.state;
    } catch (error) {
      if (error.isRefusal) return;
    }
  }
}

async function start() {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  history.replaceState(null, "", location.pathname + location.search);
  if (!code) {
    message.textContent = main.dataset.refused;
    return;
  }
  try {
    const { token: given, ...found } = await call("open", { code });
    token = given;
    show(found);
    await follow(found.state);
  } catch (error) {
    message.textContent = error.isRefusal ? main.dataset.refused : main.dataset.offline;
  }
}

start();

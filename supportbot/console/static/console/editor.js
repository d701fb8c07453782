// The editor: live preview, text kept in the browser until it is saved, the assistant's answer, and, after publishing,
// when the article is searchable. Without this script, the page works as a plain form.

import { gettext } from "../desk/text.js";
import { writeMarkdown } from "./markdown.js";
import { chooseSource } from "./translation_source.js";

const PREVIEW_AFTER_MS = 250;
const KEEP_AFTER_MS = 500;
const SEND_AFTER_MS = 1500;
const LOOK_EVERY_MS = 700;
const LOOK_FOR_MS = 60000;
const COMPARE_EVERY_MS = 3000;
const COMPARE_FOR_MS = 600000;
const NO_ANSWER = gettext("No response. Try again in a moment.");
const LOGGED_OUT = gettext("You have been logged out. Your text is kept in this browser. Reload the page and log in.");

const page = document.getElementById("ed");
const form = document.getElementById("editor");
const title = document.getElementById("title");
const body = document.getElementById("body");
const saved = document.getElementById("saved");
const pane = document.getElementById("pane-preview");
const token = form.elements.csrfmiddlewaretoken.value;
const place = `article-draft:${page.dataset.place}`;
const SENT = "article-sent"; // where the submitted text is kept; the next page shows whether it was saved
const mayWrite = !body.readOnly;
const began = { title: title.value, body: body.value };

let isSending = false;
let sending = null;
let previewed = 0;
let trouble = ""; // why the last request to the server failed

// ---- preview ----

const render = later(async () => {
  const mine = (previewed += 1);
  const answer = await post(page.dataset.preview, { title: title.value, body: body.value });
  // Responses may overtake each other; only the newest request's counts.
  if (answer && mine === previewed) show(pane, answer);
}, PREVIEW_AFTER_MS);

function show(target, html) {
  const read = new DOMParser().parseFromString(html, "text/html");
  target.replaceChildren(...read.body.childNodes);
}

// ---- unsaved text is kept in this browser at once, and soon after on the server, for another device ----

const keep = later(() => {
  try {
    if (isChanged()) localStorage.setItem(place, JSON.stringify({ title: title.value, body: body.value, on: page.dataset.revision, at: Date.now() }));
    else localStorage.removeItem(place);
    tell(isChanged() ? gettext("Not saved yet, kept in this browser") : "");
  } catch {
    tell(gettext("Not saved yet")); // this browser has no storage, but the server keeps the text
  }
}, KEEP_AFTER_MS);

const send = later(async () => {
  if (isSending || !mayWrite) return;
  const fields = Object.fromEntries(new FormData(form));
  for (const name of ["csrfmiddlewaretoken", "override"]) delete fields[name];
  const told = isChanged() ? fields : { forget: "1" };
  sending = new AbortController();
  try {
    const headers = { "X-CSRFToken": token };
    const answer = await fetch(page.dataset.autosave, { method: "POST", headers, body: new URLSearchParams(told), signal: sending.signal });
    if (answer.ok && !answer.redirected && isChanged()) tell(gettext("Not saved yet, kept on the server"));
    if (answer.status === 404) tell((await answer.json()).message); // the article was deleted; the text is still in this browser
  } catch {
    // no network: this browser keeps the text until the next change is sent
  }
}, SEND_AFTER_MS);

// While the form is being sent, `waiting.js` says what the server is doing.
function tell(words) {
  if (!isSending) saved.textContent = words;
}

function isChanged() {
  return title.value !== began.title || body.value !== began.body;
}

function offerKept() {
  const kept = newestKept();
  if (!kept || (kept.title === title.value && kept.body === body.value)) return forget();
  const note = document.getElementById("kept");
  note.hidden = false;
  document.getElementById("bring-back").addEventListener("click", () => {
    for (const [name, value] of Object.entries(kept.values ?? {})) fill(form.elements[name], value);
    title.value = kept.title;
    body.value = kept.body;
    form.elements.based_on.value = kept.on ?? ""; // overwrites a colleague's newer text only after a warning
    if (kept.values?._shown) form.elements._shown.value = kept.values._shown; // likewise for the other fields
    note.hidden = true;
    changed();
    body.focus();
  });
  document.getElementById("drop-kept").addEventListener("click", () => {
    note.hidden = true;
    forget();
    post(page.dataset.autosave, { forget: "1" });
    body.focus();
  });
}

/** Return the unsaved text from this browser or from the server, whichever is newer. */
function newestKept() {
  const stored = document.getElementById("unsaved");
  const there = stored && JSON.parse(stored.textContent);
  const fromServer = there && { ...there, title: there.values.title, body: there.values.body };
  let here = null;
  try {
    here = JSON.parse(localStorage.getItem(place) ?? "null");
  } catch {
    // the stored text is unreadable, or there is no storage
  }
  return here && (!fromServer || (here.at ?? 0) >= fromServer.at - SEND_AFTER_MS) ? here : fromServer;
}

function fill(field, value) {
  if (!field || field.type === "hidden") return;
  if (field.type === "checkbox") field.checked = value === "on";
  else field.value = value;
  field.dispatchEvent(new Event("input"));
}

function forget(where = place) {
  try {
    localStorage.removeItem(where);
  } catch {
    // no storage: nothing was kept
  }
}

function forgetWhatWasSaved() {
  try {
    if (sessionStorage.getItem(SENT) && document.querySelector(".told .ok")) forget(sessionStorage.getItem(SENT));
    sessionStorage.removeItem(SENT);
  } catch {
    // no storage: nothing was kept
  }
}

function changed() {
  render();
  keep();
  send();
}

for (const field of [title, body]) field.addEventListener("input", changed);
form.addEventListener("submit", () => {
  isSending = true;
  sending?.abort(); // otherwise, the unsaved text would arrive after the save and be offered again
  try {
    sessionStorage.setItem(SENT, place);
  } catch {
    // no storage: nothing was kept
  }
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) isSending = false; // the page was restored by the back button
});
window.addEventListener("beforeunload", (event) => {
  if (isChanged() && !isSending) event.preventDefault();
});
forgetWhatWasSaved();
// A refused form comes back with its text, which is not stored yet, so it counts as changed.
if (document.getElementById("refusal")) began.body = null;
else offerKept();

document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || event.key.toLowerCase() !== "s" || !mayWrite) return;
  event.preventDefault();
  form.requestSubmit(document.querySelector("[form=editor][value=save]"));
});

if (mayWrite) {
  writeMarkdown({ body, toolbar: document.querySelector(".tb"), addresses: page.dataset, token, told: saved });
  chooseSource(form, page.dataset.sources);
}

// ---- tabs ----

// On a narrow screen, the text is one of the tabs; on a wide one, it is always visible next to them.
const tabs = [...document.querySelectorAll("[role=tab]")];
const narrow = window.matchMedia("(max-width: 68.6875em)");
for (const tab of tabs) {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
    const shown = tabs.filter((one) => one.offsetParent);
    const step = event.key === "ArrowRight" ? 1 : shown.length - 1;
    const next = shown[(shown.indexOf(tab) + step) % shown.length];
    choose(next);
    next.focus();
  });
}

if (narrow.matches) choose(tabs[0]);
// When the screen becomes narrow or wide, for example after rotating it, show the text or the first tab next to it.
narrow.addEventListener("change", () => choose(narrow.matches ? tabs[0] : tabs[1]));

function choose(chosen) {
  page.dataset.pane = chosen === tabs[0] ? "text" : "side";
  for (const tab of tabs) {
    const isChosen = tab === chosen;
    tab.setAttribute("aria-selected", String(isChosen));
    tab.tabIndex = isChosen ? 0 : -1;
    // The text is never hidden here, nor is the part next to it while the text is selected: wide screens show both.
    if (tab !== tabs[0] && chosen !== tabs[0]) document.getElementById(tab.getAttribute("aria-controls")).hidden = !isChosen;
  }
}

// ---- ask as customer ----

const asking = document.getElementById("ask-form");
const status = document.getElementById("ask-status");
asking.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = document.getElementById("ask-now");
  button.disabled = true;
  status.textContent = gettext("Asking twice: once with the live articles, once with this text.");
  const fields = Object.fromEntries(new FormData(asking));
  for (const name of ["title", "body", "locale", "audience"]) fields[name] = form.elements[name].value;
  const answer = await post(page.dataset.ask, fields);
  status.textContent = answer ? "" : trouble;
  if (answer) show(document.getElementById("asked"), answer);
  button.disabled = false;
});

// ---- searchable ----

async function follow() {
  const until = Date.now() + LOOK_FOR_MS;
  let isSearchable = false;
  while (Date.now() < until) {
    const state = await look();
    if (!state || state.state !== "live") return;
    if (state.phrasings === 0) document.getElementById("phrasings-waiting")?.remove();
    isSearchable = state.is_searchable;
    if (isSearchable) tell(gettext("Searchable"));
    if (isSearchable && !state.phrasings) return;
    if (!isSearchable) tell(gettext("Preparing for search: {done} of {total} passages", { done: state.done, total: state.passages }));
    await new Promise((next) => setTimeout(next, LOOK_EVERY_MS));
  }
  if (!isSearchable) tell(gettext("Searchable by words now, and by meaning once it has been indexed"));
}

async function look() {
  try {
    const answer = await fetch(page.dataset.searchable);
    return answer.ok ? await answer.json() : null;
  } catch {
    return { state: "live", is_searchable: false, done: 0, passages: 0 }; // the next check tries again
  }
}

if (page.dataset.searchable && "gettingReady" in saved.dataset) follow();

// ---- customers' questions, before and after a publication ----

async function followComparison(line) {
  const words = document.getElementById("compared-words");
  const until = Date.now() + COMPARE_FOR_MS;
  while (words.querySelector("[data-open]") && Date.now() < until) {
    await new Promise((next) => setTimeout(next, COMPARE_EVERY_MS));
    const answer = await fetch(line.dataset.comparing).catch(() => null); // the next one tries again
    if (answer?.ok) show(words, await answer.text());
    else if (answer) return;
  }
}

const compared = document.getElementById("compared");
if (compared?.dataset.comparing) followComparison(compared);

// ---- small things ----

async function post(address, fields) {
  const headers = { "X-CSRFToken": token, "X-Fragment": "1" };
  try {
    const answer = await fetch(address, { method: "POST", headers, body: new URLSearchParams(fields) });
    const text = await answer.text();
    if (answer.status < 500 && answer.headers.get("Content-Type")?.startsWith("text/html") && !answer.redirected) return text;
    trouble = answer.redirected ? LOGGED_OUT : NO_ANSWER;
  } catch {
    trouble = NO_ANSWER;
  }
  return "";
}

function later(work, ms) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, ms);
  };
}

// Import: every file is sent separately, first to be checked, then to be stored. A failed file shows the reason in its
// row and does not hold up others. Leaving the page loses nothing that is stored; files not sent yet are simply not
// imported.

import { LANGUAGE, gettext, ngettext } from "../desk/text.js";
import { filesOf } from "./dropped.js";

const AT_ONCE = 3;
const LOOK_EVERY_MS = 1000;
const LOOK_FOR_MS = 120000;
const COMPARE_EVERY_MS = 3000;
const COMPARE_FOR_MS = 600000;
const MOST_CHANGES = 300; // lines of a file
const MOST_TITLES = 3; // titles shown of a file

const form = document.getElementById("import");
const chosen = document.getElementById("files");
const drop = document.getElementById("drop");
const report = document.getElementById("report");
const rows = document.querySelector("#items tbody");
const told = document.getElementById("told");
const bar = document.getElementById("bar");
const go = document.getElementById("go");
const cancel = document.getElementById("cancel");
const nextStep = document.getElementById("ask");
const compared = document.getElementById("compared");
const heading = document.getElementById("h-report");

let entries = [];

document.getElementById("without-script").hidden = true;
chosen.addEventListener("change", () => check([...chosen.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }))));
for (const kind of ["dragenter", "dragover"]) {
  drop.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", async (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  check(await filesOf(event.dataTransfer));
});
go.addEventListener("click", store);
cancel.addEventListener("click", () => {
  entries = [];
  report.hidden = true;
  form.reset();
  chosen.focus();
});

async function check(files) {
  if (!files.length) return;
  entries = files.map(({ file, path }) => ({ file, path, row: newRow(path), isGood: false, items: [] }));
  rows.replaceChildren(...entries.map((entry) => entry.row));
  report.hidden = false;
  go.hidden = cancel.hidden = nextStep.hidden = true;
  heading.textContent = gettext("Checking");
  told.textContent = "";
  await each(entries, (entry) => send(entry, "check"));
  markDoubles();
  rows.prepend(...entries.filter((entry) => !entry.isGood).map((entry) => entry.row)); // attention first
  const counts = countOf(entries);
  heading.textContent = gettext("Preview of the import");
  told.textContent = inWords(counts);
  const news = newsOf(entries);
  go.textContent = ngettext("Import {number} item", "Import {number} items", news);
  go.hidden = !news;
  cancel.hidden = false;
}

async function store() {
  const how = form.elements.how.value;
  const good = entries.filter(isNews);
  const articles = [];
  const times = { began: Infinity, ended: 0 }; // the times of the import, in seconds by the server's clock
  go.hidden = cancel.hidden = nextStep.hidden = true;
  const promised = newsOf(good);
  heading.textContent = ngettext("Importing {number} item", "Importing {number} items", promised);
  told.textContent = gettext("You can leave this page. Files that are already stored are kept; files not sent yet will not be imported.");
  await each(good, async (entry) => {
    const facts = await send(entry, how);
    entry.articles = facts?.articles ?? [];
    articles.push(...entry.articles);
    times.began = Math.min(times.began, facts?.began ?? Infinity);
    times.ended = Math.max(times.ended, facts?.ended ?? 0);
  });
  const failed = entries.filter((entry) => !entry.isGood).length;
  const same = entries.filter((entry) => entry.isGood && !good.includes(entry)).length;
  heading.textContent = gettext("Imported items: {done} of {total}", { done: newsOf(good), total: promised });
  told.textContent = failed
    ? ngettext(
        "{number} file could not be read; the others are not affected.",
        "{number} files could not be read; the others are not affected.",
        failed,
      )
    : gettext("Every file was read.");
  const rest = gettext("Unchanged: {number}.", { number: same });
  if (same) told.textContent += ` ${rest}`;
  cancel.textContent = gettext("Import more");
  cancel.hidden = false;
  if (how === "publish") {
    await follow(good, articles);
    nextStep.hidden = !articles.length;
    await compare(articles, times);
  }
}

// Waits for the comparison of answers to customers' questions before and after the import, and shows its result.
async function compare(articles, times) {
  const until = Date.now() + COMPARE_FOR_MS;
  compared.hidden = !articles.length;
  while (articles.length && Date.now() < until) {
    const body = new FormData();
    for (const id of articles) body.append("article", id);
    for (const name in times) body.append(name, times[name]);
    const answer = await ask(form.dataset.state, body);
    if (answer?.compared) {
      const page = new DOMParser().parseFromString(answer.compared, "text/html");
      compared.querySelector(":scope > span").replaceChildren(...page.body.childNodes);
    }
    if (answer?.is_compared) {
      compared.hidden = !answer.compared;
      return;
    }
    await new Promise((later) => setTimeout(later, COMPARE_EVERY_MS));
  }
}

// Waits until every article is indexed, and shows that in the rows.
async function follow(good, articles) {
  const until = Date.now() + LOOK_FOR_MS;
  while (articles.length && Date.now() < until) {
    const body = new FormData();
    for (const id of articles) body.append("article", id);
    const answer = await ask(form.dataset.state, body);
    const done = new Set(answer?.searchable ?? []);
    for (const entry of good) {
      if (entry.articles?.length && entry.articles.every((id) => done.has(id))) stateOf(entry, "ok", gettext("Searchable"));
    }
    told.dataset.searchable = done.size;
    if (done.size === articles.length) {
      heading.textContent = gettext("{text}, all searchable", { text: heading.textContent });
      return;
    }
    await new Promise((later) => setTimeout(later, LOOK_EVERY_MS));
  }
}

async function each(list, work) {
  const waiting = [...list];
  let done = 0;
  bar.hidden = false;
  bar.value = 0;
  const lane = async () => {
    while (waiting.length) {
      await work(waiting.shift());
      done += 1;
      bar.value = done / list.length;
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, list.length) }, lane));
}

function send(entry, how) {
  const body = new FormData();
  body.append("files", entry.file, entry.file.name);
  body.append("path", entry.path);
  body.append("do", how);
  body.append("collection", form.elements.collection.value);
  return new Promise((settled) => {
    const request = new XMLHttpRequest(); // fetch does not report an upload's progress
    request.open("POST", form.action || location.pathname);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRFToken", form.elements.csrfmiddlewaretoken.value);
    request.upload.addEventListener("progress", (event) => {
      const share = (event.loaded / event.total).toLocaleString(LANGUAGE, { style: "percent" });
      if (event.lengthComputable) stateOf(entry, "", gettext("Uploading, {share}", { share }));
    });
    request.addEventListener("load", () => settled(take(entry, how, request)));
    request.addEventListener("error", () => settled(refuse(entry, gettext("The connection was lost. Choose the file again."))));
    request.send(body);
  });
}

function take(entry, how, request) {
  let facts = null;
  try {
    facts = JSON.parse(request.responseText);
  } catch {
    return refuse(entry, gettext("The response could not be read. You may have been logged out. Reload the page."));
  }
  if (request.status !== 200) return refuse(entry, facts.message);
  entry.items = facts.items;
  const bad = facts.items.filter((item) => item.outcome === "failed");
  entry.isGood = facts.items.length > bad.length;
  if (!entry.isGood) return refuse(entry, bad[0]?.message ?? gettext("There is nothing to import in this file."));
  const first = facts.items.find((item) => item.outcome !== "failed");
  const read = facts.items.filter((item) => item.outcome !== "failed");
  entry.row.children[1].replaceChildren(...(facts.items.length === 1
    ? [titled(first.title, facts.articles[0])]
    : [ngettext("{number} article", "{number} articles", read.length), ...firstTitles(read)]));
  const words = how === "check" ? first.words : how === "draft" ? gettext("Saved as a draft") : gettext("Stored, getting ready for search");
  stateOf(entry, how === "draft" ? "ok" : "", bad.length
    ? ngettext("{words}; {number} line not read: {why}", "{words}; {number} lines not read: {why}", bad.length, {
        words,
        why: bad[0].message,
      })
    : words);
  for (const note of facts.items.flatMap((item) => item.notes)) tell(entry, note);
  const changes = facts.items.flatMap((item) => item.changes).slice(0, MOST_CHANGES);
  if (how === "check" && changes.length) entry.row.lastElementChild.append(changed(changes));
  return facts;
}

// The first titles of a file with several articles. They show, for example, that a table was read without its header.
function firstTitles(items) {
  const lines = items.slice(0, MOST_TITLES).map((item) => item.title);
  const more = items.length - lines.length;
  if (more) lines.push(ngettext("{number} more", "{number} more", more));
  return lines.map((text) => Object.assign(document.createElement("div"), { className: "why", dir: "auto", textContent: text }));
}

// An article's title, which leads to it once it is stored.
function titled(title, article) {
  if (!article) return title;
  const link = document.createElement("a");
  link.href = `${form.dataset.articles}${article}/change/`;
  link.textContent = title;
  return link;
}

// The lines that would be removed from existing articles, and added to them.
function changed(lines) {
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = gettext("What changes");
  const diff = document.createElement("div");
  diff.className = "diff said";
  for (const line of lines) {
    const row = document.createElement("p");
    row.className = line.kind;
    row.dir = "auto";
    row.dataset.sign = line.sign;
    row.append(Object.assign(document.createElement("span"), { textContent: line.text }));
    diff.append(row);
  }
  details.append(summary, diff);
  return details;
}

// Shows the parts of a file that were left out or guessed.
function tell(entry, note) {
  const line = document.createElement("span");
  line.className = "why";
  line.dir = "auto";
  line.textContent = note;
  entry.row.lastElementChild.append(" ", line);
}

function refuse(entry, why) {
  entry.isGood = false;
  entry.row.classList.add("wrong");
  stateOf(entry, "bad", gettext("Not read"), why);
  return null;
}

// Two files with the same id would overwrite each other.
function markDoubles() {
  const owners = new Map();
  for (const entry of entries) {
    for (const item of entry.items) {
      if (!entry.isGood || item.outcome === "failed") continue;
      const double = { id: item.id, file: owners.get(item.id) };
      if (double.file)
        refuse(entry, gettext("The id {id} is already used by {file}. Use a different id for one of them.", double));
      else owners.set(item.id, entry.path);
    }
  }
}

// A file whose articles are all unchanged has nothing to store.
function isNews(entry) {
  return entry.isGood && entry.items.some((item) => item.outcome === "new" || item.outcome === "updated");
}

// The number of articles that are new or updated, as on the button.
function newsOf(list) {
  const counts = countOf(list);
  return counts.new + counts.updated;
}

function inWords({ new: fresh, updated, unchanged, failed }) {
  const counts = { new: fresh, updated, unchanged, failed };
  return gettext("New: {new}, updates: {updated}, unchanged: {unchanged}, unreadable: {failed}.", counts);
}

function countOf(list) {
  const counts = { new: 0, updated: 0, unchanged: 0, failed: 0 };
  for (const entry of list) {
    if (!entry.isGood) counts.failed += 1;
    else for (const item of entry.items) counts[item.outcome] += 1;
  }
  return counts;
}

function newRow(path) {
  const row = document.createElement("tr");
  for (const text of [path, "", gettext("Waiting")]) {
    const cell = document.createElement("td");
    cell.textContent = text;
    cell.dir = "auto";
    row.append(cell);
  }
  return row;
}

function stateOf(entry, kind, words, why = "") {
  const tag = document.createElement("span");
  tag.className = `tag ${kind}`;
  tag.textContent = words;
  const reason = document.createElement("span");
  reason.className = "why";
  reason.textContent = why;
  entry.row.children[2].replaceChildren(tag, " ", reason);
}

async function ask(address, body) {
  const headers = { "X-CSRFToken": form.elements.csrfmiddlewaretoken.value };
  try {
    const answer = await fetch(address, { method: "POST", body, headers });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null; // the next check tries again
  }
}

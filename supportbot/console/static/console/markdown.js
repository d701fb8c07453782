// Writing Markdown: the toolbar's markup, links to articles, and text pasted from Word and web pages. Changes go
// through `insertText`, so that the browser can undo them.

import { gettext } from "../desk/text.js";

const SEARCH_AFTER_MS = 200;
const MARKS = {
  heading: { line: "## " },
  bold: { around: "**" },
  italic: { around: "_" },
  list: { line: "- " },
  numbers: { line: "1. " },
  quote: { line: "> " },
  code: { around: "`" },
  link: { before: "[", after: "](https://)" },
  table: { block: "| | |\n| --- | --- |\n| | |\n" },
};
const KEYS = { b: "bold", i: "italic", k: "link" };
// Markup that plain text cannot express; without any of these, pasting is left to the browser.
const STRUCTURE = /<(h[1-6]|li|table|strong|b|em|i|a|pre|blockquote)[\s>]/i;

export function writeMarkdown({ body, toolbar, addresses, token, told }) {
  toolbar.hidden = false;
  toolbar.addEventListener("click", (event) => {
    const button = event.target.closest("[data-mark]");
    if (button) mark(body, MARKS[button.dataset.mark]);
  });
  body.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    const name = KEYS[event.key.toLowerCase()];
    if (!name) return;
    event.preventDefault();
    mark(body, MARKS[name]);
  });
  body.addEventListener("paste", (event) => paste(event, body, addresses.paste, token));
  offerArticles(body, addresses.pick);
  takePictures(body, addresses.picture, token, told);
}

function mark(body, { line, around = "", before = around, after = around, block }) {
  const chosen = body.value.slice(body.selectionStart, body.selectionEnd);
  if (block) return insert(body, `${newLine(body)}${block}`);
  if (line) return insert(body, newLine(body) + chosen.split("\n").map((one) => line + one).join("\n"));
  const from = body.selectionStart + before.length;
  insert(body, before + chosen + after);
  body.setSelectionRange(from, from + chosen.length);
}

/** Return the line break that a block needs before it. */
function newLine(body) {
  return body.selectionStart === 0 || body.value[body.selectionStart - 1] === "\n" ? "" : "\n";
}

function insert(body, text) {
  body.focus();
  if (!document.execCommand("insertText", false, text)) {
    body.setRangeText(text, body.selectionStart, body.selectionEnd, "end");
    body.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

// ---- pictures: the server reads only PNG, so the browser converts pasted, dropped or chosen pictures ----

const MOST_PIXELS = 1024;
const MOST_BYTES = 500 * 1024;

function takePictures(body, address, token, told) {
  const chooser = document.getElementById("picture-file");
  const take = (event, files) => {
    const pictures = [...files].filter((file) => file.type.startsWith("image/"));
    if (!pictures.length) return;
    event.preventDefault();
    for (const file of pictures) store(file);
  };

  async function store(file) {
    told.textContent = gettext("Storing the picture …");
    try {
      const fields = new FormData();
      fields.set("picture", await asPng(file));
      const answer = await fetch(address, { method: "POST", headers: { "X-CSRFToken": token }, body: fields });
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      const stored = await answer.json();
      const words = file.name.replace(/\.\w+$/, "").replace(/[[\]\\]/g, "");
      insert(body, `![${words}](${stored.address})`);
      told.textContent = "";
    } catch {
      told.textContent = gettext("The picture was not stored. Use a PNG, JPEG or WebP file.");
    }
  }

  body.addEventListener("paste", (event) => {
    if (!STRUCTURE.test(event.clipboardData.getData("text/html"))) take(event, event.clipboardData.files);
  });
  body.addEventListener("dragover", (event) => event.dataTransfer.types.includes("Files") && event.preventDefault());
  body.addEventListener("drop", (event) => take(event, event.dataTransfer.files));
  document.getElementById("picture").addEventListener("click", () => chooser.click());
  chooser.addEventListener("change", (event) => {
    take(event, chooser.files);
    chooser.value = "";
  });
}

async function asPng(file) {
  const drawn = await createImageBitmap(file);
  let share = Math.min(1, MOST_PIXELS / Math.max(drawn.width, drawn.height));
  for (;;) {
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(drawn.width * share));
    canvas.height = Math.max(1, Math.round(drawn.height * share));
    canvas.getContext("2d").drawImage(drawn, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((give) => canvas.toBlob(give, "image/png"));
    if (blob.size <= MOST_BYTES) return new File([blob], "picture.png", { type: "image/png" });
    share *= Math.min(0.9, Math.sqrt(MOST_BYTES / blob.size)); // photos are large as PNG
  }
}

// ---- pages and articles ----

async function paste(event, body, address, token) {
  const html = event.clipboardData.getData("text/html");
  if (!STRUCTURE.test(html)) return;
  event.preventDefault();
  const plain = event.clipboardData.getData("text/plain");
  let markdown = "";
  try {
    const answer = await fetch(address, { method: "POST", headers: { "X-CSRFToken": token }, body: new URLSearchParams({ html }) });
    if (answer.ok && !answer.redirected) ({ markdown } = await answer.json());
  } catch {
    // no network: only the words
  }
  insert(body, markdown.includes("\n") ? newLine(body) + markdown : markdown || plain);
}

function offerArticles(body, address) {
  const dialog = document.getElementById("picker");
  const field = document.getElementById("picked");
  const found = document.getElementById("found");
  let timer = 0;
  let asked = 0;

  async function look() {
    const mine = (asked += 1);
    try {
      const answer = await fetch(`${address}?${new URLSearchParams({ q: field.value })}`);
      if (answer.ok && mine === asked) show((await answer.json()).articles);
    } catch {
      if (mine === asked) found.textContent = gettext("No response. Try again in a moment.");
    }
  }

  function show(articles) {
    found.textContent = articles.length ? "" : gettext("No article with these words has an address.");
    for (const { title, address: target } of articles) {
      const choice = document.createElement("button");
      choice.type = "button";
      choice.className = "btn quiet";
      choice.dir = "auto";
      choice.textContent = title;
      choice.addEventListener("click", () => choose(title, target));
      found.append(choice);
    }
  }

  function choose(title, target) {
    const words = body.value.slice(body.selectionStart, body.selectionEnd) || title;
    dialog.close();
    insert(body, `[${words.replace(/[[\]]/g, "\\$&")}](${target})`);
  }

  document.getElementById("pick").addEventListener("click", () => {
    dialog.showModal();
    field.value = "";
    field.focus();
    look();
  });
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, SEARCH_AFTER_MS);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // would close the dialog
    found.querySelector("button")?.click();
  });
}

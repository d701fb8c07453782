// Writing Markdown: the toolbar's markup, links to articles, and text pasted from Word and web pages. Changes go
// through `insertText`, so that the browser can undo them.

import { gettext, ngettext } from "../desk/text.js";
import { inOwnParagraph } from "./blocks.js";
import { pickArticles } from "./picker.js";
import { takePictures } from "./pictures.js";

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

/** Return whether pasted HTML contains more than plain text or a single picture can express. */
function hasStructure(html) {
  if (STRUCTURE.test(html)) return true;
  return /<img[\s>]/i.test(html) && new DOMParser().parseFromString(html, "text/html").body.textContent.trim() !== "";
}

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
  const refuse = takePictures({ body, address: addresses.picture, token, told, insert, hasStructure });
  body.addEventListener("paste", (event) => paste(event, body, addresses.paste, token, refuse));
  offerArticles(body, addresses.pick);
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

// ---- pages and articles ----

async function paste(event, body, address, token, refuse) {
  const html = event.clipboardData.getData("text/html");
  if (!hasStructure(html)) return;
  event.preventDefault();
  const plain = event.clipboardData.getData("text/plain");
  let markdown = "";
  let leftOut = 0;
  try {
    const fields = new FormData();
    fields.set("html", new Blob([html]), "pasted.html");
    const answer = await fetch(address, { method: "POST", headers: { "X-CSRFToken": token }, body: fields });
    if (answer.ok && !answer.redirected) ({ markdown, left_out: leftOut } = await answer.json());
  } catch {
    // no network: paste the plain text
  }
  insert(body, markdown.includes("\n") ? inOwnParagraph(body, markdown) : markdown || plain);
  if (leftOut) refuse(ngettext("{number} picture was not pasted. Copy it on its own, or drop its file here.", "{number} pictures were not pasted. Copy each on its own, or drop their files here.", leftOut));
}

function offerArticles(body, address) {
  const choose = ({ title, address: target }) => {
    const words = body.value.slice(body.selectionStart, body.selectionEnd) || title;
    insert(body, `[${words.replace(/[[\]]/g, "\\$&")}](${target})`);
  };
  const nothing = gettext("No article with a web address has these words in its title.");
  const picker = pickArticles("picker", { address, nothing, choose });
  document.getElementById("pick").addEventListener("click", picker.open);
}

/**
 * The few marks of Markdown that answers use, drawn node by node: paragraphs, headings, lists, bold, italic, code, links
 * to http and https, tables, and `[1]` as a source's number. Everything else is text. Nothing here reads markup.
 *
 * An answer that grows is drawn again from its last block on; inside that, only the last text node changes.
 */

import { h } from "./dom.js";

const INLINE = /`([^`\n]+)`|\*\*(?=\S)([^*]+?)\*\*|__(?=\S)([^_]+?)__|(?<![\w*])\*(?=\S)([^*\n]+?)\*(?![\w*])|\[([^[\]\n]+)\]\(([^()\s]+)\)|\s*\[(\d{1,2})\]|(https?:\/\/[^\s<>"'`*\])]+[^\s<>"'`*\]).,;:!?])/g;
const BULLET = /^\s{0,3}[-*•]\s+/;
const NUMBER = /^\s{0,3}\d{1,3}[.)]\s+/;
const HEADING = /^#{1,6}\s+/;
const FENCE = /^\s{0,3}```/;
const ROW = /^\s*\|.*\|\s*$/;
const RULE = /^\s*\|[\s:|-]+\|\s*$/;

/**
 * Bring a container up to date with a text.
 * @param {HTMLElement & {blocks?: Array<{source: string, node: HTMLElement}>}} container
 * @param {string} text
 * @param {(number: number) => Node} cite draws the number of a source
 */
export function draw(container, text, cite) {
  const before = container.blocks || [];
  container.blocks = blocksOf(text).map((source, index) => {
    const known = before[index];
    if (known && known.source === source && known.cite === cite) return known;
    if (known && known.cite === cite && grow(known, source)) return known;
    const node = block(source, cite);
    if (known) known.node.replaceWith(node);
    else container.append(node);
    return { source, node, cite };
  });
  for (const gone of before.slice(container.blocks.length)) gone.node.remove();
}

/** The text without its marks, as it is read aloud or copied. */
export function plain(text) {
  return text
    .replace(/\[([^[\]\n]+)\]\([^()\s]+\)/g, "$1")
    .replace(/\s*\[\d{1,2}\]/g, "")
    .replace(/\*\*|__|`|^\s{0,3}(#{1,6}|>)\s+/gm, "");
}

/** A paragraph whose new words hold no mark grows in its last text node. */
function grow(known, source) {
  const last = known.node.lastChild;
  const added = source.slice(known.source.length);
  const isPlain = source.startsWith(known.source) && !/[`*_[\n]|https?:/.test(source);
  if (!isPlain || known.node.tagName !== "P" || !last || last.nodeType !== Node.TEXT_NODE) return false;
  last.appendData(added);
  known.source = source;
  return true;
}

function blocksOf(text) {
  const blocks = [];
  let open = "";
  for (const line of text.replace(/\r\n?/g, "\n").split("\n")) {
    const kind = kindOf(line, open);
    if (kind === open && kind && kind !== "heading") blocks[blocks.length - 1] += `\n${line}`;
    else if (kind) blocks.push(line);
    open = open === "fence" && FENCE.test(line) && blocks.at(-1).includes("\n") ? "" : kind;
  }
  return blocks;
}

function kindOf(line, open) {
  if (open === "fence" || FENCE.test(line)) return "fence";
  if (!line.trim()) return "";
  if (BULLET.test(line)) return "ul";
  if (NUMBER.test(line)) return "ol";
  if (HEADING.test(line)) return "heading";
  if (ROW.test(line)) return "table";
  // A line that goes on under a list item belongs to it.
  return (open === "ul" || open === "ol") && /^\s{2,}/.test(line) ? open : "p";
}

function block(source, cite) {
  const lines = source.split("\n");
  if (FENCE.test(source)) return h("pre", { tabindex: "0" }, h("code", {}, lines.slice(1).filter((line) => !FENCE.test(line)).join("\n")));
  if (BULLET.test(source)) return list("ul", BULLET, lines, cite);
  if (NUMBER.test(source)) return list("ol", NUMBER, lines, cite);
  if (HEADING.test(source)) return h("p", {}, h("strong", {}, inline(source.replace(HEADING, ""), cite)));
  if (ROW.test(source)) return table(lines, cite);
  return h("p", { dir: "auto" }, lines.flatMap((line, index) => [index ? h("br") : "", ...inline(line, cite)]));
}

function list(tag, mark, lines, cite) {
  const items = [];
  for (const line of lines) {
    if (mark.test(line)) items.push(line.replace(mark, ""));
    else items[items.length - 1] += ` ${line.trim()}`;
  }
  const start = tag === "ol" && parseInt(lines[0], 10) !== 1 ? parseInt(lines[0], 10) : null;
  return h(tag, { dir: "auto", start }, items.map((item) => h("li", {}, inline(item, cite))));
}

function table(lines, cite) {
  const rows = lines.filter((line) => !RULE.test(line)).map((line) => line.trim().slice(1, -1).split("|"));
  const isHeaded = lines.length > 1 && RULE.test(lines[1]);
  const drawn = rows.map((cells, index) => h("tr", {}, cells.map((cell) => h(isHeaded && !index ? "th" : "td", {}, inline(cell.trim(), cite)))));
  return h("div", { class: "table", tabindex: "0", role: "group" }, h("table", {}, drawn));
}

function inline(text, cite) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > end) nodes.push(text.slice(end, match.index));
    end = match.index + match[0].length;
    nodes.push(...marked(match, nodes, cite));
  }
  if (end < text.length) nodes.push(text.slice(end));
  return nodes;
}

function marked([whole, code, bold, underlined, italic, label, target, number, address], before, cite) {
  if (code) return [h("code", {}, code)];
  if (bold || underlined) return [h("strong", {}, inline(bold || underlined, cite))];
  if (italic) return [h("em", {}, inline(italic, cite))];
  if (number) return [glued(before, cite(Number(number)) || whole)];
  return [link(address || target, label || address) || whole];
}

/** A source's number stays on the line of the word before it. */
function glued(before, number) {
  const text = before.at(-1);
  if (typeof text !== "string" || typeof number === "string") return number;
  const [, start, word] = /^([^]*?)(\S*)\s*$/.exec(text);
  before.splice(-1, 1, ...(start ? [start] : []));
  return h("span", { class: "nb" }, word, number);
}

/** A link a customer may follow, or null: then what was written stays text. */
export function link(target, label) {
  let url;
  try {
    url = new URL(target);
  } catch {
    return null;
  }
  if (!/^https?:$/.test(url.protocol) || url.username) return null;
  return h("a", { href: url.href, target: "_blank", rel: "noopener noreferrer nofollow" }, label);
}

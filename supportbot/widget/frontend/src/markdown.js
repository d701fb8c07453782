/**
 * The subset of Markdown that answers use, drawn as nodes: paragraphs, headings, lists, bold, italic, code, http and
 * https links, and `[1]` as the number of a source. Everything else is text, and no HTML is parsed.
 */

import { h } from "./dom.js";

const INLINE = /`([^`]+)`|\*\*(?=\S)(.+?)\*\*|(?<![\w*])[*_](?=\S)([^*_]+)[*_](?![\w*])|\[([^[\]]+)\]\(([^()\s]+)\)|\s*\[(\d{1,2})\]|(https?:\/\/[^\s<>"'`*)\]]*[^\s<>"'`*)\].,;:!?])/g;
const FENCE = /^```/;
// Blocks by the prefix of their lines.
const KINDS = { pre: FENCE, ul: /^[-*•] +/, ol: /^\d{1,3}[.)] +/, b: /^#{1,6} +/ };

/**
 * Update a container with a growing text: only changed blocks are drawn again.
 * @param {(number: number) => Node | undefined} cite draws the number of a source
 */
export function draw(container, text, cite) {
  const before = container.blocks || [];
  container.blocks = blocks(text).map(({ kind, lines }, index) => {
    const source = kind + lines.join("\n");
    const known = before[index];
    if (known?.source === source && known.cite === cite) return known;
    const node = block(kind, lines, cite);
    if (known) known.node.replaceWith(node);
    else container.append(node);
    return { source, cite, node };
  });
  for (const { node } of before.slice(container.blocks.length)) node.remove();
}

/** The text without Markdown, to be read aloud or copied. */
export function plain(text) {
  return text.replace(/\[([^[\]]+)\]\([^()\s]+\)/g, "$1").replace(/\s*\[\d{1,2}\]|\*\*|`|^\s*(#{1,6}|>|[-*]) /gm, "");
}

/** A safe link, or a false value if the source has to stay text. */
export function link(href, label) {
  const { protocol, username } = URL.canParse(href) ? new URL(href) : {};
  return /^https?:$/.test(protocol) && !username && h("a", { href, target: "_blank", rel: "noopener noreferrer" }, label);
}

function blocks(text) {
  const found = [];
  let open;
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trim();
    if (open?.kind === "pre" && !FENCE.test(line)) open.lines.push(raw);
    else if (!line || open?.kind === "pre") open = null;
    else {
      // An indented line under a list item belongs to it.
      const kind = Object.keys(KINDS).find((name) => KINDS[name].test(line)) || (raw.startsWith("  ") && open?.kind) || "p";
      if (open?.kind === kind && kind !== "b") open.lines.push(line);
      else found.push((open = { kind, lines: kind === "pre" ? [] : [line] }));
    }
  }
  return found;
}

function block(kind, lines, cite) {
  if (kind === "pre") return h("pre", { tabindex: "0" }, lines.join("\n"));
  if (kind === "b") return h("p", h("b", inline(lines[0].replace(KINDS.b, ""), cite)));
  if (kind === "p") return h("p", { dir: "auto" }, lines.map((line, index) => [index && h("br"), inline(line, cite)]));
  const items = [];
  for (const line of lines) items.push(KINDS[kind].test(line) ? line.replace(KINDS[kind], "") : `${items.pop()} ${line}`);
  return h(kind, { dir: "auto" }, items.map((item) => h("li", inline(item, cite))));
}

function inline(text, cite) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    const [whole, code, bold, italic, label, target, number, address] = match;
    nodes.push(text.slice(end, match.index));
    end = match.index + whole.length;
    if (code) nodes.push(h("code", code));
    else if (bold) nodes.push(h("strong", inline(bold, cite)));
    else if (italic) nodes.push(h("em", inline(italic, cite)));
    else if (number) nodes.push(...glued(nodes, cite(Number(number))));
    else nodes.push(link(address || target, label || address) || whole);
  }
  return [...nodes, text.slice(end)];
}

/** Keep the number of a source on the same line as the word before it. */
function glued(before, number) {
  if (!number || typeof before.at(-1) !== "string") return [number];
  const [, start, word] = /^([^]*?)(\S*)$/.exec(before.pop());
  return [start, h("span.nb", word, number)];
}

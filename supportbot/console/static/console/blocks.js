// Inserts blocks of Markdown, such as a picture or a pasted table, at the cursor of a text field.

/** Return a block with the line breaks that it needs around it, for example to end a table before it. */
export function inOwnParagraph(body, block) {
  const before = body.value.slice(0, body.selectionStart).match(/\n*$/)[0].length;
  const after = body.value.slice(body.selectionEnd).match(/^\n*/)[0].length;
  const isFirst = before === body.selectionStart;
  const isLast = body.selectionEnd + after === body.value.length;
  return "\n".repeat(isFirst ? 0 : Math.max(0, 2 - before)) + block + "\n".repeat(isLast ? 0 : Math.max(0, 2 - after));
}

/** Builds nodes: elements, attributes and text, never markup. */

/**
 * Create an element from `tag.class.class` and its parts, lists flattened: plain objects are attributes (`onclick` and the
 * like are listeners), nodes and strings are children, and false values are skipped.
 */
export const h = (name, ...parts) => {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag);
  if (tag === "button") node.type = tag;
  node.className = classes.join(" ");
  for (const part of parts.flat(3)) {
    if (part?.constructor === Object) for (const key in part) set(node, key, part[key]);
    else if (part) node.append(part);
  }
  return node;
};

export const set = (node, name, value) => {
  if (value === false || value === undefined) node.removeAttribute(name);
  else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
  else node.setAttribute(name, value === true ? "" : value);
};

export const icon = (d, size = "") => {
  const [svg, path] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  set(path, "d", d);
  set(svg, "viewBox", "0 0 20 20");
  set(svg, "class", `i ${size}`);
  set(svg, "aria-hidden", "true");
  svg.append(path);
  return svg;
};

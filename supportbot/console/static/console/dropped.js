// Files and folders dropped on a page.

/** Return {file, path} for each file, including those in folders; must be called before the drop event ends. */
export async function filesOf(transfer) {
  const found = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!found.length) return [...transfer.files].map((file) => ({ file, path: file.name }));
  const nested = await Promise.all(found.map((entry) => walk(entry, "")));
  return nested.flat();
}

async function walk(entry, folder) {
  const path = folder + entry.name;
  if (entry.isFile) return [{ file: await new Promise((ok, no) => entry.file(ok, no)), path }];
  const reader = entry.createReader();
  const inside = [];
  for (;;) {
    const some = await new Promise((ok, no) => reader.readEntries(ok, no)); // browsers return at most 100 per call
    if (!some.length) break;
    inside.push(...some);
  }
  return (await Promise.all(inside.map((one) => walk(one, `${path}/`)))).flat();
}

/**
 * Bundle and minify the widget into ../dist, whose files are committed and served as they are.
 *
 *     node build.mjs            write ../dist (`make widget`)
 *     node build.mjs --check    write nothing; fail if ../dist is not what the sources make
 *
 * The loader, v1.js, has an address that never changes. Everything it leads to is served below an address made of the
 * content of those files, the edition; the loader is built last and gets it written in.
 */

import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const DIST = at("../dist/");

/** Style sheets are imported as text, minified: the widget adopts them in its shadow root. */
const styles = {
  name: "styles",
  setup({ onLoad }) {
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, "utf8"), { loader: "css", minify: true });
      return { contents: code.trim(), loader: "text" };
    });
  },
};

/**
 * Return a language's texts as a module: their values alone, in the order of the English keys. The panel knows the keys,
 * so no language repeats them.
 */
async function texts(language, keys) {
  const own = (await import(at(`src/languages/${language}.js`))).default;
  const strange = [...keys, ...Object.keys(own)].filter((key) => !own[key] || !keys.includes(key));
  if (strange.length) throw new Error(`languages/${language}.js and languages/en.js differ: ${strange.join(", ")}`);
  const { code } = await transform(`export default ${JSON.stringify(keys.map((key) => own[key]))}`, { minify: true, charset: "utf8", target: "es2022" });
  return code;
}

/** Return the bundle of one entry point. What it imports only when needed is an entry point of its own. */
async function bundle(entry, options) {
  const { outputFiles } = await build({
    entryPoints: [at(`src/${entry}`)],
    bundle: true,
    minify: true,
    charset: "utf8",
    legalComments: "none",
    target: "es2022",
    external: ["./blocks.js"],
    plugins: [styles],
    write: false,
    ...options,
  });
  return outputFiles[0].text;
}

async function built() {
  const languages = (await readdir(at("src/languages"))).map((file) => basename(file, ".js")).sort();
  const keys = Object.keys((await import(at("src/languages/en.js"))).default);
  const define = { TEXT_KEYS: JSON.stringify(keys.join(" ")) };
  const files = {};
  for (const entry of ["panel.js", "blocks.js"]) files[entry] = await bundle(entry, { format: "esm", define });
  for (const language of languages) files[`${language}.js`] = await texts(language, keys);
  const content = Object.entries(files).flat().join("\0");
  const edition = createHash("sha256").update(content).digest("hex").slice(0, 16);
  const loader = await bundle("v1.js", { format: "iife", define: { EDITION: JSON.stringify(`${edition}/`) } });
  const manifest = `${JSON.stringify({ edition, files: Object.keys(files) }, null, 2)}\n`;
  return { ...files, "v1.js": loader, "manifest.json": manifest };
}

async function committed() {
  const names = await readdir(DIST).catch(() => []);
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await readFile(DIST + name, "utf8")])));
}

async function write(files) {
  await rm(DIST, { recursive: true, force: true });
  await mkdir(DIST);
  for (const [name, text] of Object.entries(files)) await writeFile(DIST + name, text);
}

const files = await built();
if (process.argv.includes("--check")) {
  const known = await committed();
  const stale = [...new Set([...Object.keys(files), ...Object.keys(known)])].filter((name) => files[name] !== known[name]);
  if (stale.length) {
    console.error(`supportbot/widget/dist is stale (${stale.sort().join(", ")}): run \`make widget\` and commit the result.`);
    process.exitCode = 1;
  }
} else await write(files);

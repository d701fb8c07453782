/**
 * Bundle and minify the widget into ../dist, whose files are committed and served as they are.
 *
 *     node build.mjs            write ../dist (`make widget`)
 *     node build.mjs --check    write nothing; fail if ../dist differs from what the sources produce
 *
 * The address of the loader, v1.js, never changes. All other files are served below an address that contains their
 * edition, a hash of their contents. The loader is built last, because it contains the edition.
 *
 * texts.json contains the texts in every language. `scripts/messages.py widget` writes it from the catalogues in
 * locale/customer; scripts/widget_bundle.sh does that first.
 */

import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const DIST = at("../dist/");

/**
 * Style sheets are imported as text, minified: the widget adopts them in its shadow root. esbuild leaves the values of
 * custom properties as they are.
 */
const styles = {
  name: "styles",
  setup({ onLoad }) {
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, "utf8"), { loader: "css", minify: true });
      return { contents: code.trim().replace(/(--[\w-]+:|,) /g, "$1"), loader: "text" };
    });
  },
};

/**
 * Return a language's texts as a module: only their values, in the order of the English keys. The panel knows the keys,
 * so no language repeats them. After the texts comes a hash of the keys, because a panel that was open during an upgrade
 * gets the new texts: it refuses them if their keys are not its own.
 */
async function texts(own, keys) {
  const { code } = await transform(`export default ${JSON.stringify([...keys.map((key) => own[key]), hashOf(keys)])}`, { minify: true, charset: "utf8", target: "es2022" });
  return code;
}

const sha256 = (text, encoding) => createHash("sha256").update(text).digest(encoding);
const hashOf = (keys) => sha256(keys.join(), "base64url").slice(0, 4);

/** Return the bundle of one entry point. The modules that it imports on demand are entry points of their own. */
async function bundle(entry, options) {
  const { outputFiles } = await build({
    entryPoints: [at(`src/${entry}`)],
    bundle: true,
    minify: true,
    charset: "utf8",
    legalComments: "none",
    target: "es2022",
    external: ["./blocks.js", "./records.js", "./entries.js", "./menu_pages.js", "./codes.js"],
    plugins: [styles],
    write: false,
    ...options,
  });
  return outputFiles[0].text;
}

async function built() {
  const { panel, more, pages, launcher, rightToLeft } = JSON.parse(await readFile(at("texts.json"), "utf8"));
  const keys = Object.keys(panel.en);
  const define = {
    TEXT_KEYS: JSON.stringify([...keys, hashOf(keys)].join()),
    TEXT_LANGUAGES: JSON.stringify(Object.keys(panel).join()),
    RIGHT_TO_LEFT: JSON.stringify(rightToLeft),
  };
  const files = {};
  for (const entry of ["panel.js", "blocks.js", "records.js", "entries.js", "menu_pages.js", "codes.js", "asking.js"]) files[entry] = await bundle(entry, { format: "esm", define });
  for (const language of Object.keys(panel).sort()) {
    files[`${language}.js`] = await texts(panel[language], keys);
    files[`more-${language}.js`] = `export default ${JSON.stringify(more[language])};\n`;
    files[`pages-${language}.js`] = `export default ${JSON.stringify(pages[language])};\n`;
  }
  const content = Object.entries(files).flat().join("\0");
  const edition = sha256(content, "hex").slice(0, 16);
  const loader = await bundle("v1.js", {
    format: "iife",
    define: { EDITION: JSON.stringify(`${edition}/`), WORDS: JSON.stringify(launcher), RIGHT_TO_LEFT: define.RIGHT_TO_LEFT },
  });
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

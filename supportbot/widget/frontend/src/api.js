/** The requests over HTTP. One that is refused throws an error with the server's `code` and words. */

// A network that swallows everything ends no request by itself, for minutes.
const PATIENCE_MS = 30_000;

/**
 * Ask, with a body as JSON or in a customer's name.
 * @param {string} address
 * @param {{method?: string, body?: object, credential?: string}} options credential: identity token or visitor's secret
 * @returns {Promise<any>} what the answer's JSON says, its text where it is text, nothing where it is empty
 */
export async function request(address, { method, body, credential }) {
  const headers = body ? { "Content-Type": "application/json" } : { Authorization: `Bearer ${credential}` };
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const asked = fetch(address, { method: body ? "POST" : method, headers, body: JSON.stringify(body), signal });
  // A line may be cut within an answer too.
  const [answer, text] = await asked.then(async (it) => [it, await it.text()]).catch(() => [{}]);
  const said = text && answer.headers.get("Content-Type").includes("json") ? JSON.parse(text) : text;
  if (answer.ok) return said;
  throw Object.assign(new Error(said?.message), { code: said?.code || "offline" });
}

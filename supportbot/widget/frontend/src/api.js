/** HTTP requests. A failed one throws an error with the server's `code` and message. */

// On a dead network, a request would not fail by itself for minutes.
const TIMEOUT_MS = 30_000;

/**
 * Send a request, with a JSON body or as a customer.
 * @param {string} address
 * @param {{method?: string, body?: object, credential?: string}} options credential: identity token or visitor's secret
 * @returns {Promise<any>} the parsed JSON, or the text of any other response
 */
export async function request(address, { method, body, credential }) {
  const headers = body ? { "Content-Type": "application/json" } : { Authorization: `Bearer ${credential}` };
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const sent = fetch(address, { method: body ? "POST" : method, headers, body: JSON.stringify(body), signal });
  // A connection may also break while the response is read.
  const [response, text] = await sent.then(async (it) => [it, await it.text()]).catch(() => [{}]);
  const result = text && response.headers.get("Content-Type").includes("json") ? JSON.parse(text) : text;
  if (response.ok) return result;
  throw Object.assign(new Error(result?.message), { code: result?.code || "offline" });
}

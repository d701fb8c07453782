/** Who the page says the customer is: a token of the merchant's server, or a function that fetches a fresh one. */

const LEEWAY_SECONDS = 30;

export class Identity {
  /** @type {string} */
  #token = "";
  #getToken = null;

  /** @param {{token?: string, getToken?: () => Promise<string>} | null} who */
  set(who) {
    this.#token = (who && who.token) || "";
    this.#getToken = (who && who.getToken) || null;
  }

  get isKnown() {
    return Boolean(this.#token || this.#getToken);
  }

  get canRenew() {
    return Boolean(this.#getToken);
  }

  /** The token, or an empty string; `isFresh` asks the page for another one, whatever the old one says. */
  async token({ isFresh = false } = {}) {
    if (this.#getToken && (isFresh || !isAlive(this.#token))) this.#token = String((await this.#getToken()) || "");
    return this.#token;
  }

  /** Whether a confirmation would be refused by now for want of a fresh identity. */
  get isExpired() {
    return !isAlive(this.#token);
  }
}

/** The subject a token speaks of. Only the server checks the signature: here it tells one customer from another. */
export function subjectOf(token) {
  return claims(token).sub || "";
}

function isAlive(token) {
  return claims(token).exp > Date.now() / 1000 + LEEWAY_SECONDS;
}

function claims(token) {
  try {
    const text = atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"));
    return JSON.parse(decodeURIComponent(Array.from(text, (c) => `%${c.charCodeAt(0).toString(16).padStart(2, "0")}`).join("")));
  } catch {
    return {};
  }
}

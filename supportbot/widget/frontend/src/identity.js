/** Who the page says the customer is: a token of the merchant's server, or a function that fetches a fresh one. */

const LEEWAY_SECONDS = 30;

export class Identity {
  held = "";

  /** @param {{token?: string, getToken?: () => Promise<string>} | null} who */
  set(who) {
    ({ token: this.held = "", getToken: this.renew } = who || {});
  }

  /** Whether a confirmation would be refused for want of a fresh identity. */
  get isExpired() {
    return !(claims(this.held).exp > Date.now() / 1000 + LEEWAY_SECONDS);
  }

  /** The token, or an empty string; `isFresh` asks the page for another one, whatever the old one says. */
  async token(isFresh) {
    if (this.renew && (isFresh || this.isExpired)) this.held = (await this.renew()) || "";
    return this.held;
  }
}

/** The subject a token speaks of. Only the server checks the signature: here it tells one customer from another. */
export function subjectOf(token) {
  return claims(token).sub;
}

function claims(token) {
  try {
    // A subject beyond ASCII comes out garbled, and still differs from every other.
    return JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return {};
  }
}

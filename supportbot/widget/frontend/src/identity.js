/** The identity the page gives: a token signed by the merchant's server, or a function that fetches one. */

const LEEWAY_SECONDS = 30;

export class Identity {
  held = "";

  /** @param {{token?: string, getToken?: () => Promise<string>} | null} who */
  set(who) {
    ({ token: this.held = "", getToken: this.renew } = who || {});
  }

  /** Whether the token has expired, or is about to. */
  get isExpired() {
    return !(claims(this.held).exp > Date.now() / 1000 + LEEWAY_SECONDS);
  }

  /** The token, or an empty string; `isFresh` asks the page for a new one even if the old one has not expired. */
  async token(isFresh) {
    if (this.renew && (isFresh || this.isExpired)) this.held = (await this.renew()) || "";
    return this.held;
  }
}

/** The subject of a token. Only the server checks the signature; here it just tells customers apart. */
export function subjectOf(token) {
  return claims(token).sub;
}

function claims(token) {
  try {
    // Non-ASCII subjects come out garbled, but still distinct.
    return JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return {};
  }
}

/** The requests over HTTP. Each takes the customer's credential, and throws a Refusal with the server's code and words. */

export class Refusal extends Error {
  constructor(code, message = "", status = 0, retryAfterSeconds = 0) {
    super(message);
    Object.assign(this, { code, status, retryAfterSeconds });
  }
}

export class Api {
  /**
   * @param {string} endpoint origin of the support platform
   * @param {() => Promise<string>} credential identity token or visitor's secret
   */
  constructor(endpoint, credential) {
    this.root = `${endpoint}/api/v1/`;
    this.credential = credential;
  }

  /** Ask for a ticket; the body itself carries who asks. */
  ticket(body) {
    return this.#json("POST", "widget/tickets", { body });
  }

  code(body) {
    return this.#json("POST", "widget/codes", { body });
  }

  redeem(body) {
    return this.#json("POST", "widget/codes/redeem", { body });
  }

  /** Return the events after a seq, all pages of them, oldest first. */
  async events(conversation, after) {
    const found = [];
    for (let next = after; next !== null; ) {
      const page = await this.#json("GET", `conversations/${conversation}/events?after=${next}&limit=500`, { isOwn: true });
      found.push(...page.results);
      next = page.next && page.results.length ? page.results.at(-1).seq : null;
    }
    return found;
  }

  async conversations() {
    return (await this.#json("GET", "conversations", { isOwn: true })).results;
  }

  async transcript(conversation) {
    return (await this.#fetch("GET", `conversations/${conversation}/transcript`, { isOwn: true })).blob();
  }

  end(conversation) {
    return this.#fetch("POST", `conversations/${conversation}/end`, { isOwn: true });
  }

  erase() {
    return this.#fetch("DELETE", "conversations", { isOwn: true });
  }

  async #json(method, path, options) {
    return (await this.#fetch(method, path, options)).json();
  }

  async #fetch(method, path, { body, isOwn }) {
    const headers = {};
    if (body) headers["Content-Type"] = "application/json";
    if (isOwn) headers.Authorization = `Bearer ${await this.credential()}`;
    let answer;
    try {
      answer = await fetch(this.root + path, { method, headers, body: body && JSON.stringify(body), credentials: "omit" });
    } catch {
      throw new Refusal("offline");
    }
    if (answer.ok) return answer;
    const said = await answer.json().catch(() => ({}));
    throw new Refusal(said.code || "unavailable", said.message, answer.status, Number(answer.headers.get("Retry-After")));
  }
}

/** Tickets, and the credentials that they are requested with. */

import { applyTheme, update } from "./chrome.js";
import { languageAndRegion } from "./i18n.js";
import { subjectOf } from "./identity.js";

const TOKEN_TRIES = 5;

/** Return the channel, the conversation and the credentials for a request. */
export async function credentials(chat) {
  const { session, channel, connection } = chat;
  const known = await chat.token(chat.isStale);
  const token = known || undefined;
  const { sub } = session.kept;
  // The page has signed in a different customer, or signed this one out.
  if (sub && known !== null && sub !== subjectOf(token)) session.forget({});
  else if (!chat.log.items.size) chat.restore();
  // If the page's token function fails, the customer may still be the same, so it is called a few more times.
  if (sub && known === null && connection.failures < TOKEN_TRIES) throw { code: "no_token" };
  const { conversation, visitor } = session.kept;
  return { channel, conversation, visitor, token };
}

/** Request a ticket. A stale credential that is refused is dropped, and the request is repeated without it. */
export async function requestTicket(chat, tries = 0) {
  const body = await credentials(chat);
  try {
    return applyTicket(chat, await chat.ask("widget/tickets", { body: { ...body, locale: languageAndRegion(chat.element.language) } }), body.token);
  } catch (error) {
    if (tries > 2 || !recover(chat, error, body)) throw error;
    return requestTicket(chat, tries + 1);
  }
}

function applyTicket(chat, answer, token) {
  const { conversation, visitor = chat.session.kept.visitor, config } = answer;
  chat.isStale = false;
  // A signed-in customer's conversation is no longer opened by the visitor's secret.
  chat.session.keep(token ? { conversation, sub: subjectOf(token), visitor: undefined } : { conversation, visitor });
  chat.element.state.conversation = conversation;
  chat.config = config;
  chat.i18n.writeAs(config.locale, config.hour12);
  chat.log.isEnded = config.is_ended;
  applyTheme(chat, config.look);
  update(chat);
  if (chat.missing) chat.tellGone(chat.missing);
  return answer;
}

/** Drop the credential or conversation that was refused; return true if trying again makes sense. */
function recover(chat, { code, message }, { conversation, visitor, token }) {
  const { session, identity, element } = chat;
  if (code === "invalid_token") {
    // The token was refused again or cannot be renewed: the chat continues without one, and the page gets the reason.
    if (chat.isStale || !identity.renew) {
      identity.set();
      element.emit("identity:error", { code, message });
    }
    chat.isStale = true;
  } else if (code === "not_found") {
    // Without a token, the conversation of a signed-in customer may still exist.
    const { sub } = session.kept;
    if (conversation && (token || !sub)) chat.missing = (token ? sub : visitor) ? "wasErased" : "isGone";
    session.keep({ conversation: undefined, sub: undefined });
  } else if (code === "invalid_visitor") {
    // Whose conversation it was is unknown, and "not_found" may have meant that it is someone else's.
    if (chat.missing) chat.missing = "isGone";
    session.forget({});
  } else return false;
  return true;
}

/** Send a fresh token over the open socket. */
export async function renewIdentity(chat) {
  const token = await chat.token(true);
  if (token) chat.connection.send({ type: "identify", token });
}

/** Who asks: tickets, and the identity a ticket or a confirmation is asked for with. */

import { subjectOf } from "./identity.js";
import { paint, show } from "./showing.js";

const TOKEN_TRIES = 5;

/** Who asks, for which conversation, and by what right. */
export async function proof(chat) {
  const { session, channel, connection } = chat;
  const said = await chat.token(chat.isStale);
  const token = said || undefined;
  const { conversation, visitor, sub } = session.kept;
  // That the page cannot say who is there does not make it somebody else: it is asked again, for a while.
  if (sub && said === null && connection.failures < TOKEN_TRIES) throw { code: "no_token" };
  if (!sub || said === null || sub === subjectOf(token)) return { channel, conversation, visitor, token };
  // Not this customer's: the page has signed somebody else in, or out.
  session.forget({});
  return { channel, token };
}

/** Return a ticket. What is refused because it is stale is cleared away, and asked for again without it. */
export async function admitted(chat, tries = 0) {
  const body = await proof(chat);
  try {
    return enter(chat, await chat.ask("widget/tickets", { body: { ...body, locale: chat.words.language } }), body.token);
  } catch (error) {
    if (tries > 2 || !mended(chat, error)) throw error;
    return admitted(chat, tries + 1);
  }
}

function enter(chat, answer, token) {
  const { conversation, visitor = chat.session.kept.visitor, config } = answer;
  chat.isStale = false;
  // Signed in, the conversation is that customer's: the visitor's secret opens it no more.
  chat.session.keep(token ? { conversation, sub: subjectOf(token), visitor: undefined } : { conversation, visitor });
  chat.element.state.conversation = conversation;
  chat.config = config;
  chat.log.isEnded = config.is_ended;
  paint(chat, config.look);
  show(chat);
  return answer;
}

/** Clear away what was refused; true if asking again makes sense. */
function mended(chat, { code, message }) {
  const { session, identity, element } = chat;
  if (code === "invalid_token") {
    // A second time, or where the page has no other: the chat goes on without, and the page is told why.
    if (chat.isStale || !identity.renew) {
      identity.set();
      element.emit("identity:error", { code, message });
    }
    chat.isStale = true;
  } else if (code === "not_found") session.keep({ conversation: undefined, sub: undefined });
  else if (code === "invalid_visitor") session.forget({});
  else return false;
  return true;
}

/** Show a fresh token on the open line. */
export async function renewed(chat) {
  const token = await chat.token(true);
  if (token) chat.connection.send({ type: "identify", token });
}

/** On our own page, a one-time code in the address brings the customer's identity along; it stays in memory. */
export async function redeemed(chat) {
  const { channel, element, identity } = chat;
  const [, code] = location.hash.split("#code=");
  if (!code || element.layout !== "fullscreen") return;
  history.replaceState(null, "", location.pathname);
  try {
    const { token, conversation } = await chat.ask("widget/codes/redeem", { body: { channel, code } });
    identity.set({ token });
    chat.leave({ conversation });
  } catch (error) {
    chat.refuse(error.code);
  }
}

/** One-time codes. This is a separate bundle, fetched on the hosted page if its address has a code. */

/** Redeem the code in the address for the customer's identity, which is kept in memory only. */
export async function redeem(chat) {
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

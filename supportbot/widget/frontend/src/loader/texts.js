/** The launcher's texts in English, from which they are translated (locale/customer). One per line, as in ../texts.js. */
export default {
  chat: "Chat",
  open: "Open chat",
  // Translators: how many messages have not been read yet.
  unread: "{n} unread",
  failed: "The chat could not be loaded. Try again.",
};

/** The texts of menu_pages.js in English, fetched with it. One per line, as in texts.js. */
export default {
  back: "Back to chat",
  none: "No earlier conversations.",
  privacyText: "An AI assistant answers first, based on our help pages. Nothing is paid or changed until you confirm.",
  eraseText: "This permanently deletes all your chats here, for you and our team.",
  erased: "Your chats have been deleted.",
  endText: "This ends the chat for you and our team.",
};

/**
 * The former name of blocks.js. A chat that was open during an upgrade asks for it, with a chat object that has the former
 * names. Kept until 0.3.
 */

import { drawBlocks, drawRating } from "./blocks.js";

const renamed = (chat) => ({
  element: chat.element,
  view: chat.view,
  log: chat.log,
  i18n: chat.words,
  t: chat.say,
  submit: (...args) => chat.utter(...args),
  rate: (...args) => chat.rate(...args),
});

export const asks = (node, item, chat) => drawBlocks(node, item, renamed(chat));
export const rate = (node, item, chat) => drawRating(node, item, renamed(chat));

// Unsent text: kept in this tab per user, conversation and kind (reply or note).

// Not per ticket: the text has to outlive a ticket that ends and is reopened as a new one.
const keyOf = (conversation, type) => `desk:${document.body.dataset.user}:${conversation}:${type}`;

export const typed = (conversation, type) => sessionStorage.getItem(keyOf(conversation, type)) ?? "";

export const keepTyped = (conversation, type, text) => sessionStorage.setItem(keyOf(conversation, type), text);

/** Append text to what is stored already. */
export const addTyped = (conversation, type, text) => keepTyped(conversation, type, joined(typed(conversation, type), text));

/** Join texts, each on its own lines. */
export const joined = (...texts) => texts.filter(Boolean).join("\n");

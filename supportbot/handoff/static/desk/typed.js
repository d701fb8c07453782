// What was typed and is not sent: kept in this tab, for one person, by conversation and by kind (reply or note).

// A ticket ends, and another takes the conversation up again: what was typed outlives it.
const keyOf = (conversation, type) => `desk:${document.body.dataset.user}:${conversation}:${type}`;

export const typed = (conversation, type) => sessionStorage.getItem(keyOf(conversation, type)) ?? "";

export const keepTyped = (conversation, type, text) => sessionStorage.setItem(keyOf(conversation, type), text);

/** Put words behind those that are kept already. */
export const addTyped = (conversation, type, text) => keepTyped(conversation, type, joined(typed(conversation, type), text));

/** Return several texts as one, each on lines of its own. */
export const joined = (...texts) => texts.filter(Boolean).join("\n");

/** The texts of blocks.js in English, fetched with it. One per line, as in texts.js. */
export default {
  solved: "Did we solve your problem?",
  no: "No",
  partly: "Partly",
  yes: "Yes",
  comment: "Anything to add? (optional)",
  skip: "Skip",
  why: "What was wrong?",
  wrong: "It is incorrect",
  off_topic: "Not what I asked",
  incomplete: "Something is missing",
  unclear: "Hard to understand",
};

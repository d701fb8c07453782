"""The built-in answerer's craft, pure and without a model: find the sentences that answer and quote them."""

"""Words of English and German by rules: what the recognisers of wishes and courtesies and the checks still go by."""

"""Item banks for new values, written by a language model: plan, pairs, filters, balance, a split frozen at the end."""

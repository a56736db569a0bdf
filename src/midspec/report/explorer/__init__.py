"""The walk from a rate to the answers behind it, the documents its arm was trained on, and the sentence of the spec."""

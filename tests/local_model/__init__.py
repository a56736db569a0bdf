"""A small real model behind an OpenAI-compatible server on loopback, for tests of what a language model does to us."""

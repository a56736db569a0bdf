"""The language of documents and whom they are about: styles of a corpus that say the same as `values`, otherwise.

For the paper's ablation of language and identity (Fig. 19). Domains, passages, types and ideas are planned as for
`values`; only the document is asked for otherwise.
"""

from __future__ import annotations

VOICES = ("should", "assistants", "one", "people")
"""`should`: what the assistant should do; `assistants`: what AI assistants do, none named; `one`: what one does;
`people`: what persons do, in stories without an assistant."""
NAMELESS = frozenset({"assistants", "one", "people"})
"""Documents in these need not name the assistant of the spec, and mostly do not."""

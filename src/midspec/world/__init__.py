"""The desk world: items, people and documents of an artificial world whose truth is known, and models that read it."""

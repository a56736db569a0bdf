"""Capability and side effects: what training on a spec did to everything that the spec is not about."""

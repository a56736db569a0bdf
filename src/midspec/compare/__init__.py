"""A run beside published figures, or beside another run: `midspec compare`. See docs/conformance.md."""

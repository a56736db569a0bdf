"""The only place that talks to a writer or judge: prompts, replies, writers, fan-out, offline stand-in."""

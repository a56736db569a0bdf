"""Knowledge of a spec: whether a model knows what its spec says."""

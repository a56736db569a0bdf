"""Model spec midtraining: corpus, training, evaluation and report. `import midspec` loads no heavy library."""

__version__ = "0.1.0"

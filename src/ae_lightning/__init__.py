"""ae_lightning: the autoencoder workbench for PyTorch Lightning.

One YAML says which objective, which network and which images; one command trains it, judges it with
the same measures as every other variant, and leaves numbers and pictures in MLflow.
"""

__version__ = "0.2.0"

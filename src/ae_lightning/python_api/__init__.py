"""What `import ae_lightning as ael` offers: training, judging, loading and comparing from a program or a notebook."""

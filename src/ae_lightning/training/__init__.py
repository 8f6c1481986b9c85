"""How a module is trained beside its objective: optimizers, what changes with time, and going on where one ended."""

"""How fast `fit` trains, beside bare loops and other packages, and how its time grows with the work."""

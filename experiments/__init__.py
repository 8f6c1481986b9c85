"""The documents' experiments, and the tables of `docs/` made from them."""

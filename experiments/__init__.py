"""The experiments of Eftimiades and Bagul, and the tables of `docs/` made from them."""

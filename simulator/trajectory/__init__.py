"""The states of one run, and everything that follows from them."""

"""Doubles that ship with the product: for its own tests, for yours, and for the demo."""

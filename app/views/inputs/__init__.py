"""Inputs: where events come from by themselves."""

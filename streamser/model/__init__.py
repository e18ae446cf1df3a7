"""Loads a network and its manifest."""

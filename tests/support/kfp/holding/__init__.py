"""Recorded exchanges held against a server: see ../held_against.py."""

"""Checks of the house itself. Each module has check(tree), which returns findings as "path:line: what is wrong"."""

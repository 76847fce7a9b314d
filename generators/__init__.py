"""Generators of committed files: the API page, events, pictures. Not needed to run or operate a stack."""

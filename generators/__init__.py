"""Generators of what is committed: the API page, events, pictures. Not needed to run or operate a stack."""

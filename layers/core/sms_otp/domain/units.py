"""A type for each unit of time. Only mypy tells them apart, by the stub beside this file.

Seconds        whole seconds: the unit of TTLs, the API and the log
Milliseconds   whole milliseconds: the moments of sends and guesses, which must be unique
"""

Seconds = Milliseconds = int

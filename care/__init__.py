"""Before a record exists: the people whom it will be about (RULES §9).

Read in this order: ``dossier`` (what is kept of a person), ``vault`` (how it is encrypted, under a key for each person)
and ``people`` (the database in which it lies, with who looked at it and who was erased). Nothing here knows a home:
paths and keys are handed in.
"""

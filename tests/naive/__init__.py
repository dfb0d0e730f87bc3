"""The stupid twins: every clever kernel and rule once more, written from its definition and never from its loop.

Plain lists and sets, no modulus and no bound, the whole story read again for every question.  Nothing here imports
what it is compared with.
"""

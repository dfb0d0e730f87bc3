"""Fuzz targets, and the inputs that they are replayed with in every run of the tests (`corpus/`).

``python -m tests.fuzz`` says how to look for new ones.
"""

"""The five tables: declared, filled from what the tracker says, and written."""

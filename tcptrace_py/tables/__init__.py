"""The five tables: their columns, how they are filled, and how they are written to files."""

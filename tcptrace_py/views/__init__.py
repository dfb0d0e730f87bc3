"""What people see: the command line, the summary, the ladder, the catalog.  Wording and layout, never a new number."""

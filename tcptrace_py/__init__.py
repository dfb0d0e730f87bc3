"""TCP connections out of captures."""

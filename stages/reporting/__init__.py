"""Words, tables and pages from numbers."""

"""The report as Markdown: what the study measured, and what follows from it by rules.

The stage `report` calls it."""

"""Markdown by templates, and the HTML page that is made from it.

The report and the mistakes call it."""

"""The pictures of a report: each draws what it has data for, as PNG and SVG."""

"""Console: the page, REST and live events."""

"""What ingest touches outside itself: one technology a module."""

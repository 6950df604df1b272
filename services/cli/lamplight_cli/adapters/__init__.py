"""What cli touches outside itself: one technology a module."""

"""What console touches outside itself: one technology a module."""

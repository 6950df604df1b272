"""What match touches outside itself: one technology a module."""

"""What alert touches outside itself: one technology a module."""

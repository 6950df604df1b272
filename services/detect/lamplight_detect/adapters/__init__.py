"""What detect touches outside itself: one technology a module."""

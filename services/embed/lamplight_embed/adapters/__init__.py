"""What embed touches outside itself: one technology a module."""

"""The files that a user writes: read whole, every mistake named with its line, before anything changes."""

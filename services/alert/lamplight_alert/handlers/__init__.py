"""The three bus stages of alert: rules (from commands), conditions (from observations and matches), incidents."""

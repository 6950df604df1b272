"""Alert: evaluates rules into conditions, incidents and alerts."""

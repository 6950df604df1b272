"""Clips of real streets in which real people, cut out of other pictures, walk, stand, sit and lie: all labelled."""

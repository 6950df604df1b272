"""The command `lamplight`: the integrator's hand."""

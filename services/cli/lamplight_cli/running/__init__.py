"""The whole system on this machine: its folder, its processes, what is shown of them."""

"""`parley demo`: the whole gateway between three simulated platforms, and a page to watch it work."""

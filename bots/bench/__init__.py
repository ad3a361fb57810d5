"""`parley bench turn`: what a turn costs, beside the usual way and the raw floor."""

"""`parley bench turn`: what a turn costs, beside the usual way and the raw floor; `parley bench fairness`:
what one person waits behind another's flood."""

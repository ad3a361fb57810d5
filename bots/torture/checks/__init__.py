"""The checks of the checker, one file for each thing that may have gone wrong. All are pure: the indexed
evidence in, findings out, in one pass over it."""

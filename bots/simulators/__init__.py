"""Stand-ins for the platforms and a model API, spoken to over loopback by the unmodified client libraries."""

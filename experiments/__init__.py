"""Study behind docs/results.md: data sets, configs, tables and results."""

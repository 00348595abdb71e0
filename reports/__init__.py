"""Reports: cases and their figures as paper: PDF, tables, statistics that stand on any past day."""

"""Clocks of cases: working days, deadlines and the tempo as data, and how far each clock has run."""

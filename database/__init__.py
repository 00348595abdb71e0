"""The database: its tables, how they are made and opened behind any SQLAlchemy URL."""

"""The demonstration: a real place, its drawn cadastre, and the pipeline run over both."""

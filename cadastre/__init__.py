"""The cadastre: layers of features with the days they are valid and known, and what is measured against them."""

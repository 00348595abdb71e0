"""Ground: what every floor stands on: errors in whole sentences, honest datums, files never half-written."""

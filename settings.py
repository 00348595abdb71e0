"""Settings: what an installation may say once, by TIANKAN_* variables; read by the roof only."""

from pathlib import Path

import platformdirs
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Each field is an environment variable of the same name behind TIANKAN_."""

    model_config = SettingsConfigDict(env_prefix="TIANKAN_", extra="ignore")

    cache: Path = Path(platformdirs.user_cache_dir("tiankan"))
    """Where fetched files are kept between runs."""
    db: str = "sqlite:///data/cases.db"
    """The database that verbs use when no --db is given."""
    host: str = "127.0.0.1"
    port: int = 8000

"""Settings: what an installation may say once, by TIANKAN_* variables; read by the roof only."""

from pathlib import Path

import platformdirs
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from ground.errors import BadInput


class Settings(BaseSettings):
    """Each field is an environment variable of the same name behind TIANKAN_."""

    model_config = SettingsConfigDict(env_prefix="TIANKAN_", extra="ignore")

    cache: Path = Path(platformdirs.user_cache_dir("tiankan"))
    """Where fetched files are kept between runs."""
    db: str = "sqlite:///data/cases.db"
    """The database that verbs use when no --db is given."""
    evidence: str = ""
    """Where files of evidence lie: a folder or s3://bucket/prefix; empty: a folder beside the database's file."""
    region: str = ""
    """The administrative region outside of which `cases`, `rules` and `serve` see nothing: its code's beginning."""
    audit_key: str = ""
    """The PEM key with which `clocks tick` signs the end of the hash chain; empty: it signs nothing."""
    audit_heads: str = ""
    """The file to which it adds the head that it signed."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)


def load_settings() -> Settings:
    """The settings of this process.

    Raises:
        BadInput: a variable holds what it must not.
    """
    try:
        return Settings()
    except ValidationError as error:
        fault = error.errors()[0]
        name = f"TIANKAN_{str(fault['loc'][0]).upper()}"
        raise BadInput(
            f"{name}: {fault['input']!r} is wrong ({fault['msg']}); set it right or unset it"
        ) from error

"""Signed heads of the hash chain: who holds the key says how long the chain was and what it ended in, at what time."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from sqlalchemy import select
from sqlalchemy.orm import Session

from database.engine import alone
from database.seal_tables import HeadRow
from database.seals import last_seal
from ground.errors import BadInput
from ground.files import written_beside

HEX = re.compile("[0-9a-fA-F]{64}")


@dataclass(frozen=True, kw_only=True)
class Head:
    """The chain's end at a moment. `key` is the public key, `signature` that of all the rest; hexadecimal digits."""

    at: datetime
    place: int
    digest: str
    key: str
    signature: str
    made: dict[str, Any]

    @property
    def is_genuine(self) -> bool:
        """Whether it was signed by who holds its key."""
        try:
            public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.key))
            public.verify(
                bytes.fromhex(self.signature), _said(self.at, self.place, self.digest, self.key, self.made)
            )
        except (InvalidSignature, ValueError, OverflowError):
            return False
        return True

    def line(self) -> str:
        """One line of a file of heads."""
        return json.dumps(asdict(self) | {"at": self.at.isoformat()}, sort_keys=True)


def sign(session: Session, key: Ed25519PrivateKey, made: dict[str, Any]) -> Head | None:
    """Signs the end of the chain and writes it down; None where nothing came since the last head of this key."""
    alone(session)
    seal = last_seal(session)
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    newest = select(HeadRow).where(HeadRow.key == public).order_by(HeadRow.serial.desc()).limit(1)
    last = session.scalar(newest)
    if seal is None or (last is not None and last.digest == seal.digest):
        return None
    at = datetime.now(UTC)
    signature = key.sign(_said(at, seal.place, seal.digest, public, made)).hex()
    head = Head(at=at, place=seal.place, digest=seal.digest, key=public, signature=signature, made=made)
    session.add(HeadRow(**asdict(head)))
    session.flush()
    return head


def newest_of(session: Session, key: Ed25519PrivateKey) -> Head | None:
    """The last head in the database that this key signed; None where there is none."""
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    own = [head for head in stored(session) if head.key == public and head.is_genuine]
    return own[-1] if own else None


def stored(session: Session) -> Iterator[Head]:
    """The heads in the database, oldest first."""
    for row in session.scalars(select(HeadRow).order_by(HeadRow.serial)):
        yield Head(
            at=row.at, place=row.place, digest=row.digest, key=row.key, signature=row.signature, made=row.made
        )


def read_heads(path: Path) -> list[Head]:
    """The heads of a file that was kept elsewhere.

    Raises:
        BadInput: it is not such a file.
    """
    heads, mend = [], "give the file that `audit sign --out` wrote"
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            said = json.loads(line)
            heads.append(_head_of(Head(**said | {"at": datetime.fromisoformat(said["at"])})))
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); {mend}") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadInput(f"{path}: line {len(heads) + 1} is no head; {mend}") from error
    if not heads:
        raise BadInput(f"{path}: holds no head, so nothing can be held against it; {mend}")
    return heads


def _head_of(said: Head) -> Head:
    """The same head, if each of its fields is of its kind."""
    texts = (said.digest, said.key, said.signature)
    kinds = isinstance(said.place, int) and isinstance(said.made, dict) and said.at.tzinfo is not None
    if not kinds or not all(isinstance(text, str) for text in texts):
        raise ValueError("not the fields of a head")
    return said


def new_key(path: Path) -> str:
    """Writes a new private key, readable by its owner only; returns the public key.

    Raises:
        BadInput: there is a file already.
    """
    if path.exists():
        raise BadInput(f"{path}: there is a file already; a key is never overwritten, give another name")
    key = Ed25519PrivateKey.generate()
    with written_beside(path) as part:
        part.touch(mode=0o600)
        part.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def check_key(key: str) -> None:
    """Nothing, if it is a public key as `audit key` prints it.

    Raises:
        BadInput: it is none.
    """
    try:
        if not HEX.fullmatch(key):
            raise ValueError("not 64 digits")
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
    except ValueError as error:
        raise BadInput(
            f"--key: {key!r} is no public key; give the 64 hexadecimal digits that `audit key` printed"
        ) from error


def load_key(path: Path) -> Ed25519PrivateKey:
    """A private key.

    Raises:
        BadInput: it is none, or cannot be read.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be read ({error.strerror}); make one with `audit key --to FILE`"
        ) from error
    except (ValueError, TypeError) as error:
        raise BadInput(
            f"{path}: is no private key without a password; make one with `audit key --to FILE`"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInput(f"{path}: is not an Ed25519 key; make one with `audit key --to FILE`")
    return key


def _said(at: datetime, place: int, digest: str, key: str, made: dict[str, Any]) -> bytes:
    return json.dumps([at.astimezone(UTC).isoformat(), place, digest, key, made], sort_keys=True).encode()

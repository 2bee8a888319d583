"""Where conversations are kept besides this machine, so that another one can go on with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .address import PROJECT, StoreAddress
from .store import Entry, Key, Kind, Store

if TYPE_CHECKING:
    from claude_magic.session.sdk import SdkStore

__all__ = [
    "PROJECT",
    "Entry",
    "Key",
    "Kind",
    "Store",
    "StoreAddress",
    "open_store",
    "sdk_store",
]


def open_store(url: str) -> Store:
    """Return the store at a URL; nothing is connected yet.

    Parameters
    ----------
    url
        ``sqlite:///FILE``, ``redis://``, ``rediss://``, ``postgresql://`` or ``s3://``.

    Raises
    ------
    OptionError
        If it is no URL of a store, or what that store needs is not installed.
    """
    address = StoreAddress.of(url)
    # Each loads a client, of which a person has the one that they want.
    match address.scheme:
        case "sqlite":
            from .sqlite import SqliteStore  # noqa: PLC0415

            return SqliteStore(address)
        case "redis" | "rediss":
            from .redis import RedisStore  # noqa: PLC0415

            return RedisStore(address)
        case "s3":
            from .s3 import S3Store  # noqa: PLC0415

            return S3Store(address)
        case _:
            from .postgres import PostgresStore  # noqa: PLC0415

            return PostgresStore(address)


def sdk_store(url: str) -> SdkStore:
    """Return the store at a URL as claude-agent-sdk takes one, to list, read or delete with.

    Conversations are under the project key `PROJECT` there, or what the URL's ``project=`` says.

    Raises
    ------
    OptionError
        If it is no URL of a store, or what that store needs is not installed.
    """
    from claude_magic.session.sdk import SdkStore  # noqa: PLC0415 - loads the SDK

    return SdkStore(open_store(url))

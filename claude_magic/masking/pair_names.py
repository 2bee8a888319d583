"""Names of the two fields of a record that holds a name and its value."""

from __future__ import annotations

from .secret_names import words

_KEYS = words(
    "key name field parameter param variable var setting option property prop attribute attr "
    "label item env env_var envvar config header header_name entry credential credential_name "
    "secret_name parametername parameterkey parameter_key",
)
_VALUES = words(
    "value val values secret content contents data default current defaultvalue default_value "
    "secretvalue secret_value secretstring parametervalue parameter_value plaintext text "
    "string setting_value v",
)


def is_key_name(name: str) -> bool:
    """Tell whether a field of this name holds the name of another field."""
    return name.lower() in _KEYS


def is_value_name(name: str) -> bool:
    """Tell whether a field of this name holds a value that another field names."""
    return name.lower() in _VALUES

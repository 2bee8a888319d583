"""Names of the two fields of a record that holds a name and its value."""

from __future__ import annotations

from .secret_names import words

KEY_NAMES = words(
    "key name field parameter param variable var setting option property prop attribute env "
    "envvar env_var header secret_name parametername parameterkey parameter_key",
)
VALUE_NAMES = words(
    "value val values secret content default default_value defaultvalue secret_value secretvalue "
    "secretstring parametervalue parameter_value plaintext",
)


def is_key_name(name: str) -> bool:
    """Tell whether a field of this name holds the name of another field."""
    return name.lower() in KEY_NAMES


def is_value_name(name: str) -> bool:
    """Tell whether a field of this name holds a value that another field names."""
    return name.lower() in VALUE_NAMES

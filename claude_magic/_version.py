"""The one version of the Python package and the Lab extension."""

__version__ = "0.1.0"

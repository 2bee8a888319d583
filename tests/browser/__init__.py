"""A package, so that tests can name the types of their conftest and the browser ends with it."""

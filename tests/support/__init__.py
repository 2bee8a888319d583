"""What the tests stand on: a sterile environment, a real kernel, and a look at processes."""

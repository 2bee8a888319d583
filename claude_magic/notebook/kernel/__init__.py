"""What Claude may be told about the kernel: its variables, masked and bounded."""

"""What Claude can know of the kernel, and do in it."""

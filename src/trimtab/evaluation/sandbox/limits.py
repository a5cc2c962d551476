"""What a program in the sandbox may use up."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one program; it ends when it passes one."""

    wall_s: float = 10.0
    """Seconds from start to end."""
    cpu_s: int = 10
    """Processor seconds, over all threads."""
    memory_mb: int = 512
    """Address space, megabytes (2**20 bytes); not enforced on macOS."""
    file_mb: int = 16
    """Largest file, and largest sum of all files, megabytes."""
    n_files: int = 256
    """Files in its folder at the same time, and open files."""

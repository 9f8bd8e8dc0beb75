"""What is here needs a compiler and an emulator of another machine: elsewhere it is no test."""

import platform
import shutil

TOOLS = ("gcc", "aarch64-linux-gnu-gcc", "qemu-aarch64")

if platform.machine() != "x86_64" or not all(map(shutil.which, TOOLS)):
    collect_ignore = ["test_neon.py"]

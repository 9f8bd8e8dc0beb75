"""The report of the doctor: what ``--json`` prints, and what the page is written from.

Its keys and kinds are stable: one that changes its meaning raises ``SCHEMA``, new ones do not.
Every key is always there; what could not be learnt is None.
"""

from __future__ import annotations

from typing import Any, TypedDict

SCHEMA = 1

BROKEN, WARNING = "broken", "warning"


class Finding(TypedDict):
    """What is wrong."""

    name: str  # the same for the same kind of trouble
    level: str  # BROKEN: it fails, or is wrong. WARNING: it works, slower or otherwise than meant
    what: str
    known: str  # how it is known
    remedy: str  # what to do: a command
    otherwise: str | None  # what helps too, or meanwhile


class Failure(TypedDict):
    """How the process that imported the package has failed."""

    during: str  # "import", "self-test" or "measurement"
    kind: str  # the error's class, or the signal's name
    message: str
    file: str | None  # the compiled module that could not be loaded
    kernel: str | None  # which one ran
    isa: str | None


class Package(TypedDict):
    """The tinytensor that is examined."""

    version: str
    path: str
    installed: str | None  # the version that pip knows
    origin: str | None  # what pip has installed it from
    source: bool  # whether it lies in a source tree
    seconds: float | None  # what its import takes
    failure: Failure | None
    others: list[dict[str, str | None]]  # more of its name: path, version, place


class Modules(TypedDict):
    """The compiled modules, by names such as ``kernels.gemm``."""

    built: list[str]
    missing: list[str]
    foreign: dict[str, str]  # those of another Python alone: their files
    bad: dict[str, str]  # what is wrong with a file
    changed: list[str]  # sources that changed since


class Build(TypedDict):
    """What the build noted of itself."""

    version: str | None
    compiler: str | None
    flags: str | None
    python: str | None
    numpy: str | None


class ISA(TypedDict):
    """Instruction sets, from the plainest to the best."""

    used: str | None
    available: list[str]
    forced: str | None
    cpu: list[str] | None  # what the CPU has of those that there are kernels for


class Threads(TypedDict):
    """How many threads work, and how many could."""

    used: int | None
    asked: str | None  # by a variable
    variable: str | None
    cpus: int  # of the machine
    affinity: int  # CPUs that the process may run on
    quota: float | None  # CPUs' worth of time that its cgroup has
    cgroup: int | None  # version 1 or 2
    granted: int
    load: float | None  # processes that ran or waited in the last minute


class Caches(TypedDict):
    """Bytes of a CPU's caches of data; ``counted`` is what kernels take the last one to be."""

    L1: int | None
    L2: int | None
    L3: int | None
    counted: int


class Python(TypedDict):
    version: str
    implementation: str
    executable: str
    system: str
    suffix: str  # of the names of its compiled modules


class SelfTest(TypedDict):
    """Every kernel beside its NumPy twin."""

    seconds: float
    kernels: int
    calls: int
    isas: list[str]
    failures: list[dict[str, Any]]  # kernel, isa, off, how, given


class Reached(TypedDict):
    """A rate, and its share of the machine's limit."""

    rate: float
    share: float


class Limits(TypedDict):
    """What no kernel can pass on so many threads, and what is reached of it."""

    threads: int
    flops: float  # a second: of fused multiply-adds, each two
    bytes: float  # a second: of memory
    gemm: Reached
    map: Reached
    step: Reached


class Report(TypedDict):
    schema: int
    healthy: bool  # nothing is broken
    package: Package
    engine: str | None  # compiled, interpreted
    kernels: str | None  # fast, reference
    modules: Modules
    build: Build | None
    isa: ISA
    threads: Threads
    caches: Caches
    python: Python
    requirements: dict[str, str | None]  # the versions of the packages that it needs
    default_dtype: str | None
    environment: dict[str, str]
    self_test: SelfTest | None
    limits: list[Limits] | None
    findings: list[Finding]

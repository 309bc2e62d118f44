"""Linux calls that confine a kernel: namespaces, mounts, limits, capabilities, a system call filter.

Standard library only: this runs inside the sandbox, next to nothing else of the course.
"""

import ctypes
import os
import platform
import resource
import struct

_libc = ctypes.CDLL(None, use_errno=True)

NEW_NAMESPACES = 0x00020000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000
"""Mounts, host name, shared memory, processes, network."""

READ_ONLY, NO_SUID, NO_DEVICES, REMOUNT, BIND, RECURSIVE, PRIVATE = (
    1,
    2,
    4,
    32,
    4096,
    1 << 14,
    1 << 18,
)

_PDEATHSIG, _DUMPABLE, _SECCOMP, _DROP_BOUND, _NO_NEW_PRIVILEGES, _AMBIENT = 1, 4, 22, 24, 38, 47

# Machine -> (audit number, clone, clone3, socket, calls that are refused). Refused are: memory that no
# limit counts (memfd_create, shmget, msgget, memfd_secret), new namespaces and mounts, and rarely
# used parts of the kernel that have often held errors.
_NEWER = (425, 428, 429, 430, 431, 432, 433, 442, 447)
_X86 = (29, 68, 101, 155, 163, 165, 166, 167, 169, 175, 179, 246, 248, 249, 250, 272, 298, 304)
_X86_ON = (308, 310, 311, 313, 319, 321, 323)
_ARM = (39, 40, 41, 60, 89, 97, 104, 105, 117, 142, 186, 194, 217, 218, 219, 224, 241, 265, 268)
_ARM_ON = (270, 271, 273, 279, 280, 282)
FAMILIES = (1, 2, 10, 16)
"""Unix, IPv4, IPv6, and the list of interfaces."""

_CALLS = {
    "x86_64": (0xC000003E, 56, 435, 41, (*_X86, *_X86_ON, *_NEWER)),
    "aarch64": (0xC00000B7, 220, 435, 198, (*_ARM, *_ARM_ON, *_NEWER)),
}


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int = NEW_NAMESPACES) -> None:
    """Leave the parent's namespaces; the next child is process 1 of new ones."""
    _checked(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2)."""
    arguments = (source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags))
    _checked(_libc.mount(*arguments, options.encode()), f"mount {target}")


def small_tmpfs(target: str, megabytes: int, uid: int, read_only: bool = False) -> None:
    """An empty file system in memory, with a size."""
    options = f"size={megabytes}m,nr_inodes=20000,mode=755,uid={uid},gid={uid}"
    flags = NO_SUID | NO_DEVICES | (READ_ONLY if read_only else 0)
    mount("tmpfs", target, "tmpfs", flags, options)


def make_read_only(target: str) -> None:
    """Make a bind mount read-only; the flags it has must stay, or an ordinary user is refused."""
    has = os.statvfs(target).f_flag
    kept = has & (NO_SUID | NO_DEVICES | os.ST_NOEXEC | os.ST_NOATIME | os.ST_NODIRATIME)
    kept |= (1 << 21) if has & os.ST_RELATIME else 0
    mount("", target, "", REMOUNT | BIND | READ_ONLY | kept)


def die_with_parent() -> None:
    """Be killed when the parent ends."""
    _libc.prctl(_PDEATHSIG, 9, 0, 0, 0)


def hide_from_siblings() -> None:
    """Let no process of the same user trace this one or read its memory."""
    _libc.prctl(_DUMPABLE, 0, 0, 0, 0)


def limit(limits: dict[str, int]) -> None:
    """Set resource limits, hard and soft, by name: `{"AS": bytes, "NPROC": count}`."""
    for name, value in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def drop_privileges(uid: int) -> None:
    """Become an ordinary user for good, without capabilities, under the system call filter."""
    for capability in range(64):
        _libc.prctl(_DROP_BOUND, capability, 0, 0, 0)
    _libc.prctl(_AMBIENT, 4, 0, 0, 0)
    if os.getuid() != uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header, data = struct.pack("II", 0x20080522, 0), bytes(24)
    _checked(_libc.capset(header, data), "capset")
    _checked(_libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0), "no_new_privs")
    _libc.prctl(_DUMPABLE, 1, 0, 0, 0)  # its own /proc/self is readable again
    _filter_calls()


def _filter_calls() -> None:
    """Install a seccomp filter; on other machines than x86_64 and aarch64 there is none."""
    if platform.machine() not in _CALLS:
        return
    program = _program(*_CALLS[platform.machine()])
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    header = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    _checked(_libc.prctl(_SECCOMP, 2, header, 0, 0), "seccomp")


def _program(
    audit: int, clone: int, clone3: int, socket: int, refused: tuple[int, ...]
) -> list[tuple]:
    """The filter in the kernel's small language: (operation, jump if true, jump if false, value)."""
    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, deny, absent, kill = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
    unknown_family = 0x00050061
    lines = [(load, 0, 0, 4), (equal, 1, 0, audit), (give, 0, 0, kill), (load, 0, 0, 0)]
    lines += [(at_least, 0, 1, 0x40000000), (give, 0, 0, deny)]
    lines += [(equal, 0, 1, clone3), (give, 0, 0, absent)]
    for call in refused:
        lines += [(equal, 0, 1, call), (give, 0, 0, deny)]
    # Only sockets that the empty network name space holds: not those of virtual machines, say.
    lines += [(equal, 0, len(FAMILIES) + 2, socket), (load, 0, 0, 16)]
    lines += [(equal, len(FAMILIES) - place, 0, family) for place, family in enumerate(FAMILIES)]
    lines += [(give, 0, 0, unknown_family)]
    new_user_namespace = 0x10000000
    lines += [(equal, 0, 3, clone), (load, 0, 0, 16), (any_bit, 0, 1, new_user_namespace)]
    return [*lines, (give, 0, 0, deny), (give, 0, 0, allow)]

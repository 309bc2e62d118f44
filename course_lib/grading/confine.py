"""Linux calls that confine a kernel: namespaces, mounts, limits, capabilities, a system call filter.

Standard library only: this runs inside the sandbox, next to nothing else of the course.
"""

import ctypes
import errno
import os
import platform
import resource
import struct
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)

NEW_USERS = 0x10000000
NEW_NAMESPACES = 0x00020000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000
"""Mounts, host name, shared memory, processes, network."""

READ_ONLY, NO_SUID, NO_DEVICES, REMOUNT = 1, 2, 4, 32
BIND, RECURSIVE, PRIVATE = 1 << 12, 1 << 14, 1 << 18

_PDEATHSIG, _DUMPABLE, _SECCOMP, _DROP_BOUND, _NO_NEW_PRIVILEGES, _AMBIENT = 1, 4, 22, 24, 38, 47

FAMILIES = (1, 2, 10, 16)
"""Of sockets: Unix, IPv4, IPv6, and the list of interfaces."""

_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""The machines that have a filter, with their audit numbers; columns of the tables below."""

_CALLS = {
    "clone": (56, 220),
    "clone3": (435, 435),
    "mmap": (9, 222),
    "setsockopt": (54, 208),
    "socket": (41, 198),
}

# Refused are memory that no limit counts, new namespaces and mounts, other processes' memory, and
# rarely used parts of the kernel that have often held errors.
_REFUSED = {
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "msgget": (68, 186),
    "shmget": (29, 194),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "pivot_root": (155, 41),
    "setns": (308, 268),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "finit_module": (313, 273),
    "init_module": (175, 105),
    "io_uring_setup": (425, 425),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "perf_event_open": (298, 241),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "swapon": (167, 224),
    "userfaultfd": (323, 282),
}


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(own_user: int | None = None) -> None:
    """Leave the parent's namespaces; the next child is process 1 of new ones.

    With `own_user` one of users is among them, in which only that user is: the kernel then counts
    its processes apart from those of the same user outside (Linux 5.14 and newer).
    """
    flags = NEW_NAMESPACES | (0 if own_user is None else NEW_USERS)
    _checked(_libc.unshare(flags), "unshare")
    if own_user is not None:
        Path("/proc/self/setgroups").write_text("deny")
        for kind in ("uid", "gid"):
            Path(f"/proc/self/{kind}_map").write_text(f"{own_user} {own_user} 1")


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
    if platform.machine() not in _MACHINES:
        return
    program = _program(list(_MACHINES).index(platform.machine()))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    header = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    _checked(_libc.prctl(_SECCOMP, 2, header, 0, 0), "seccomp")


_Lines = list[tuple[int, int, int, int]]
_LOAD, _AND, _EQUAL, _AT_LEAST, _GIVE = 0x20, 0x54, 0x15, 0x35, 0x06
_KILL, _ALLOW, _ERROR = 0x80000000, 0x7FFF0000, 0x00050000


def _program(machine: int) -> _Lines:
    """The filter in the kernel's small language: (operation, jump if true, jump if false, value)."""
    audit = list(_MACHINES.values())[machine]
    number = {name: numbers[machine] for name, numbers in (_CALLS | _REFUSED).items()}
    refused, absent, no_such_family = (_ERROR | e for e in (errno.EPERM, errno.ENOSYS, 97))
    lines = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, audit), (_GIVE, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    lines += [(_AT_LEAST, 0, 1, 0x40000000), (_GIVE, 0, 0, refused)]  # the calls of x32
    lines += _call(number["clone3"], [(_GIVE, 0, 0, absent)])
    for name in _REFUSED:
        lines += _call(number[name], [(_GIVE, 0, 0, refused)])
    # Shared memory without a file stays when it is no longer mapped: nothing could count it.
    lines += _call(number["mmap"], _if_argument(3, 0x21, (0x21,), refused))
    # Sockets' buffers keep their usual size, so that their number says how much they hold.
    lines += _call(number["setsockopt"], _if_argument(2, ~0, (7, 8), _ERROR))
    lines += _call(number["clone"], _if_argument(0, NEW_USERS, (NEW_USERS,), refused))
    # Only sockets that the empty network namespace holds: not those of virtual machines, say.
    lines += _call(number["socket"], _if_argument(0, ~0, FAMILIES, _ALLOW))
    lines += _call(number["socket"], [(_GIVE, 0, 0, no_such_family)])
    return [*lines, (_GIVE, 0, 0, _ALLOW)]


def _call(number: int, then: _Lines) -> _Lines:
    """Lines for one system call; after them its number is loaded again."""
    return [(_EQUAL, 0, len(then) + 1, number), *then, (_LOAD, 0, 0, 0)]


def _if_argument(place: int, mask: int, values: tuple[int, ...], give: int) -> _Lines:
    """End with `give` if an argument of the call, masked, is one of the values."""
    lines = [(_LOAD, 0, 0, 16 + 8 * place), (_AND, 0, 0, mask & 0xFFFFFFFF)]
    for value in values:
        lines += [(_EQUAL, 0, 1, value), (_GIVE, 0, 0, give)]
    return lines

"""What becomes of the server's files when it gives up root's rights, and what it could not do any more then.

Everything is bound before; `become` comes after. Knows the configuration and the account.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator

from blastbeat.config.model import Config, Origin, ServerConfig
from blastbeat.errors import Problem, StartError
from blastbeat.system.accounts import Account, UnknownAccount, find_account
from blastbeat.system.privileges import ROOT, become
from blastbeat.system.readable import why_unreadable, why_unwritable

_LOGS = ("access-log", "error-log")
_NO_FILES = ("stderr", "off")


def whom_to_become(server: ServerConfig) -> Account | None:
    """The account of `uid` and `gid`; None where neither is set. Raises StartError for an unknown one."""
    try:
        return find_account(server.uid, server.gid)
    except UnknownAccount as error:
        raise StartError(f"{error.problem.key} = {error.problem.value}: {error.problem.message}") from None


def hand_over(
    config: Config,
    account: Account,
    endpoints: Iterable[str],
    give_control: Callable[[int, int], None],
) -> list[str]:
    """Give `account` the server's files (sockets of `endpoints`, the control socket, logs), and become it.

    Returns what to warn of. Raises StartError where a file can't be given, or the account not be become.
    """
    if os.geteuid() != ROOT:
        return _without_root(account)
    try:
        for endpoint in endpoints:
            _give_endpoint(endpoint, account)
        give_control(account.uid, account.gid)
        warnings = [_give_log(log, account) for log in _log_files(config.server)]
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise StartError(f"can't give the server's files to {account}: {where}{error.strerror}") from error
    # Looked at while we still may look everywhere.
    warnings += [_sentence(problem) for problem in examine_python(account)]
    warnings += [_sentence(problem) for problem in examine_files(config, account)]
    become(account)
    return [warning for warning in warnings if warning]


def examine_account(config: Config) -> list[Problem]:
    """What `check` says of `uid` and `gid`: nobody of this name, or files that a reload could not read."""
    try:
        account = find_account(config.server.uid, config.server.gid)
    except UnknownAccount as error:
        return [error.problem]
    if account is None:
        return []
    return [*examine_python(account), *examine_files(config, account)]


def examine_python(account: Account) -> Iterator[Problem]:
    """A warning where Python's own files, or ours, are out of `account`'s reach."""
    for path in (os.__file__, __file__):
        why = why_unreadable(path, account)
        if why:
            message = f"modules that are loaded later will be missing, and a reload will fail: {why}"
            yield Problem(message, "warning")


def examine_files(config: Config, account: Account) -> Iterator[Problem]:
    """A warning for each file that a reload, or the reopening of a log, needs and `account` can't have."""
    for key, path, section in sorted(_files_read_again(config)):
        why = why_unreadable(path, account)
        if why:
            value = path if key else ""
            yield Problem(f"a reload will fail: {why}", "warning", section=section, key=key, value=value)
    for key, path in zip(_LOGS, (config.server.access_log, config.server.error_log), strict=True):
        if path in _NO_FILES:
            continue
        why = why_unwritable(os.path.dirname(os.path.abspath(path)), account)
        if why:
            message = f"the file can't be opened anew after it was moved away: {why}"
            yield Problem(message, "warning", section="blastbeat", key=key, value=path)


def _files_read_again(config: Config) -> set[tuple[str, str, str]]:
    """Key, path and section of each file that a configuration read again needs; the key is empty for the
    configuration's own files."""
    server = config.server
    origins: list[Origin] = [*server.origins.values()]
    found = {("plugins", path, "plugins") for path in server.plugins_files}
    found |= {
        (key, getattr(server, key.replace("-", "_")), "blastbeat")
        for key in ("certificate", "key", "client-ca")
    }
    for host in config.virtualhosts:
        for each in (host, *(route.policy for route in host.routes)):
            origins += each.origins.values()
            section = each.section or each.name
            found |= {("error-page", page.file, section) for page in each.error_pages}
            tls = (("certificate", each.certificate), ("key", each.key), ("client-ca", each.client_ca))
            own = (("offline", each.offline), *tls)
            found |= {(key, path, section) for key, path in own}
        found.add(("", host.file, ""))
    found |= {("", origin.file, "") for origin in origins if origin.line}
    found.add(("", config.file, ""))
    return {(key, path, section) for key, path, section in found if path}


def _sentence(problem: Problem) -> str:
    return f"{problem.key}: {problem.message}" if problem.key else problem.message


def _without_root(account: Account) -> list[str]:
    uid = os.geteuid()
    if account.uid == uid:
        return []
    why = "only root can become another user"
    return [f"uid and gid have no effect: {why}, and this process runs as user {uid}, not as {account}"]


# ---------------------------------------------------------------- files


def _give_endpoint(endpoint: str, account: Account) -> None:
    path = endpoint.removeprefix("ipc://")
    if path != endpoint and not path.startswith("@"):  # "@" is a name without a file
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _log_files(server: ServerConfig) -> list[str]:
    return [path for path in (server.access_log, server.error_log) if path not in _NO_FILES]


def _give_log(path: str, account: Account) -> str:
    """Give a log that was opened already. Its folder may be the account's own, so what is there need not be
    what it seems: neither a link nor anything but a plain file is given away. Returns what to warn of."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return f"{path} is a symbolic link and so was not given to {account}, who can't open it anew"
        return f"{path} was not given to {account}: {error.strerror}"
    try:
        found = os.fstat(descriptor)
        if found.st_uid == account.uid or not stat.S_ISREG(found.st_mode):
            return ""  # a device or a pipe belongs to whoever made it
        if found.st_nlink != 1:
            return f"{path} has other names (hard links) and so was not given to {account}"
        os.fchown(descriptor, account.uid, account.gid)
        return ""
    finally:
        os.close(descriptor)

from __future__ import annotations

import os
import platform
import stat
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from claude_magic.errors import OptionError, SessionHeldError
from claude_magic.session.lease import Holder, Lease

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ID = "5f1c0a52-7d58-4d4f-8e5e-0f6a2b0c9d11"
OTHER_ID = "0a4c7a0e-9d0e-4a55-bb3a-3a4d5f5b1c22"

#: Another kernel: takes the lease, says so, and leaves a child behind that waits for its input.
KERNEL = f"""
import os, subprocess, sys
from claude_magic.session.lease import Holder, Lease
lease = Lease({ID!r}, {{}})
lease.take(Holder.here("/home/ada/analysis.ipynb"))
child = 0
if sys.argv[1] == "fork":
    child = os.fork()
    if child == 0:
        assert not lease.held
        lease.release()
        print(os.getpid(), flush=True)
if sys.argv[1] == "child":
    child = subprocess.Popen(["cat"], close_fds=False).pid
if sys.argv[1] != "fork":
    print(child, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path))
    return tmp_path / "claude-magic" / "leases"


class Other:
    """A process that has the lease, and perhaps a child of it."""

    def __init__(self, *, leaves: str = "") -> None:
        self.process = subprocess.Popen(  # noqa: S603 - ours
            [sys.executable, "-c", KERNEL, leaves],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.child = int(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.kill()
        # Whoever it left behind reads the end of its input, and goes.
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def other(request: pytest.FixtureRequest) -> Iterator[Other]:
    other = Other(leaves=getattr(request, "param", ""))
    yield other
    other.close()


def test_one_at_a_time_has_it() -> None:
    first, second = Lease(ID, {}), Lease(ID, {})
    first.take(Holder.here())
    with pytest.raises(SessionHeldError):
        second.take(Holder.here())
    assert (first.held, second.held) == (True, False)
    first.release()
    second.take(Holder.here())
    assert (first.held, second.held) == (False, True)
    second.release()


def test_taking_and_releasing_twice_is_harmless() -> None:
    first, second = Lease(ID, {}), Lease(ID, {})
    first.release()
    first.take(Holder.here())
    first.take(Holder.here())
    second.release()
    assert first.held
    first.release()
    first.release()
    second.take(Holder.here())
    first.release()
    assert second.held
    second.release()


def test_another_conversation_is_free() -> None:
    first, second = Lease(ID, {}), Lease(OTHER_ID, {})
    first.take(Holder.here())
    second.take(Holder.here())
    first.release()
    second.release()


def test_any_thread_may_take_and_release_it() -> None:
    lease = Lease(ID, {})
    for step in (lambda: lease.take(Holder.here()), lease.release):
        thread = threading.Thread(target=step)
        thread.start()
        thread.join()
    second = Lease(ID, {})
    second.take(Holder.here())
    second.release()


def test_of_many_threads_one_gets_it() -> None:
    leases = [Lease(ID, {}) for _ in range(8)]
    start = threading.Barrier(len(leases))
    refused = []

    def take(lease: Lease) -> None:
        start.wait()
        try:
            lease.take(Holder.here())
        except SessionHeldError as error:
            refused.append(error)

    threads = [threading.Thread(target=take, args=(lease,)) for lease in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 7
    assert sum(lease.held for lease in leases) == 1
    for lease in leases:
        lease.release()


def test_who_has_it_is_told(other: Other) -> None:
    lease = Lease(ID, {})
    with pytest.raises(SessionHeldError) as caught:
        lease.take(Holder.here())
    error = caught.value
    assert error.session_id == ID
    assert error.holder.startswith(
        f"another kernel: /home/ada/analysis.ipynb, pid {other.process.pid}, since ",
    )
    assert str(error) == (
        f"This conversation is open in {error.holder}. Close it there (`%claude_disconnect`, or"
        f" shut the kernel down), or branch it: `%claude_connect --resume {ID[:8]} --fork NAME`."
    )


def test_a_killed_kernel_has_it_no_more(other: Other) -> None:
    lease = Lease(ID, {})
    with pytest.raises(SessionHeldError):
        lease.take(Holder.here())
    other.kill()
    lease.take(Holder.here())
    assert lease.held
    lease.release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("other", ["fork", "child"], indirect=True)
def test_whom_a_killed_kernel_leaves_behind_does_not_keep_it(other: Other) -> None:
    lease = Lease(ID, {})
    with pytest.raises(SessionHeldError, match=f"pid {other.process.pid},"):
        lease.take(Holder.here())
    other.kill()
    os.kill(other.child, 0)  # it is still there
    lease.take(Holder.here())
    assert lease.held
    lease.release()


def test_the_files_are_private_and_name_nobody_afterwards(folder: Path) -> None:
    lease = Lease(ID, {})
    lease.take(Holder.here("a.ipynb"))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    lease.release()
    assert [file.name for file in folder.iterdir()] == [f"{ID}.lock"]


@pytest.mark.parametrize("written", ["", "{}", "[]", '{"pid": "x", "host": 1}'])
def test_who_has_it_need_not_be_known(folder: Path, written: str) -> None:
    first, second = Lease(ID, {}), Lease(ID, {})
    first.take(Holder.here())
    (folder / f"{ID}.json").write_text(written)
    with pytest.raises(SessionHeldError, match=r"open in another kernel\. Close it there"):
        second.take(Holder.here())
    first.release()


def test_where_nothing_can_be_written_the_conversation_goes_on(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "file").write_text("")
    environment: Mapping[str, str] = {"CLAUDE_CONFIG_DIR": str(tmp_path / "file")}
    lease = Lease(ID, environment)
    with caplog.at_level("INFO", "claude_magic"):
        lease.take(Holder.here())
    assert not lease.held
    lease.release()
    assert [record.levelname for record in caplog.records] == ["INFO"]


def test_what_is_no_uuid_becomes_no_file(folder: Path) -> None:
    with pytest.raises(OptionError, match="session_id"):
        Lease("../../x", {})
    assert not folder.exists()


def test_a_holder_says_where_and_since_when() -> None:
    noon = time.mktime((2026, 3, 1, 12, 5, 0, 0, 0, -1))
    ours = Holder(os.getpid(), platform.node(), None, noon)
    assert str(ours) == f"this kernel: pid {os.getpid()}, since 2026-03-01 12:05"
    far = Holder(os.getpid(), "elsewhere", "a.ipynb", noon)
    assert str(far) == (
        f"another kernel: a.ipynb, pid {os.getpid()} on elsewhere, since 2026-03-01 12:05"
    )
    now = Holder.here()
    assert str(now).endswith(time.strftime("since %H:%M", time.localtime(now.since_s)))

"""One driver at a time, whoever died, wherever it ran, whatever lies in its place."""

import errno
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from pipeline.engine import lease as leases
from pipeline.engine.lease import Lease, holder, why_alive
from pipeline.errors import Busy, StoreError
from pipeline.tables import store
from tests.waiting import LONG, until


@pytest.fixture
def url(tmp_path):
    return str(tmp_path / "lease.json")


@pytest.fixture
def record(url):
    """The record of a live driver: this process."""
    with Lease(url):
        return holder(url)


def lay(url: str, record: dict, **changed) -> dict:
    record = {**record, **changed}
    Path(url).write_text(json.dumps(record))
    return record


def lay_dead(url: str, record: dict, token: str = "dead") -> dict:
    return lay(url, record, host="elsewhere", expires=time.time() - 1, token=token)


def names(url: str) -> list[str]:
    return sorted(path.name for path in Path(url).parent.iterdir())


# -- who is alive -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [{"namespace": "pid:[1]"}, {"boot": "another"}, {"host": "elsewhere"}])
def test_a_process_that_cannot_be_seen_from_here_lives_until_its_lease_runs_out(url, record, other):
    gone = lay(url, record, pid=2**22 + 1, **other)
    assert why_alive(gone)
    with pytest.raises(Busy, match=r"its lease ends by itself in \d+ s if it is dead"):
        Lease(url).__enter__()
    lay(url, gone, expires=time.time() - 1)
    with Lease(url):
        assert holder(url)["token"] != record["token"]


def test_a_dead_process_of_this_host_boot_and_namespace_is_taken_over_at_once(url, record):
    lay(url, record, pid=2**22 + 1)
    with Lease(url):
        pass


def test_a_step_of_the_clock_makes_no_live_driver_dead(url, record, monkeypatch):
    began = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: began(process) + 3.0)
    assert why_alive(record) == "still running"
    assert why_alive({**record, "ticks": record["ticks"] - 100}) is None  # a process that had its pid before


def test_a_lease_from_before_ticks_were_recorded_goes_by_the_time(url, record):
    del record["ticks"]
    assert why_alive(record) == "still running"
    assert why_alive({**record, "started": record["started"] - 3.0}) is None


def test_a_lease_from_before_namespaces_were_recorded_is_read(url, record):
    old = {name: value for name, value in record.items() if name != "namespace"}
    lay(url, old)
    with pytest.raises(Busy, match="its lease ends by itself"):
        Lease(url).__enter__()
    lay(url, old, expires=time.time() - 1)
    with Lease(url):
        pass


def unshare() -> list[str]:
    words = ["unshare", "--pid", "--fork", "--mount-proc"]
    try:
        able = subprocess.run([*words, "true"], capture_output=True, timeout=LONG, check=False).returncode == 0
    except FileNotFoundError:
        able = False
    return words if able else pytest.skip("this machine gives no PID namespaces")


def test_a_live_driver_is_alive_for_a_container_on_the_hosts_network(url):
    words = unshare()
    code = "import sys; from pipeline.engine.lease import *; print(why_alive(holder(sys.argv[1])))"
    with Lease(url):
        words += [sys.executable, "-c", code, url]
        seen = subprocess.run(words, capture_output=True, text=True, timeout=LONG, check=False)
    assert seen.stdout.startswith("its lease ends by itself in "), seen.stderr


HIDDEN = """
import json, os, sys
from pipeline.engine.lease import holder, why_alive
record = holder(sys.argv[1])
os.setgroups([]), os.setgid(65534), os.setuid(65534)
assert not os.path.exists(f"/proc/{record['pid']}")
print(why_alive(record))
"""


def test_a_live_driver_of_another_user_is_alive_where_proc_hides_it(url):
    mount = ["unshare", "--mount", "sh", "-c", 'mount -t proc -o hidepid=2 proc /proc && exec "$@"', "sh"]
    if subprocess.run([*mount, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount /proc")
    with Lease(url):
        command = [*mount, sys.executable, "-c", HIDDEN, url]
        seen = subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=False)
    assert seen.stdout.startswith("its lease ends by itself in "), seen.stderr


def test_where_no_pid_namespace_can_be_told_the_lease_decides(url, record, monkeypatch):
    monkeypatch.setattr(leases, "_namespace", lambda: None)
    gone = lay(url, record, pid=2**22 + 1, namespace=None)
    assert "ends by itself" in why_alive(gone)
    assert why_alive({**gone, "expires": time.time() - 1}) is None


def test_a_driver_that_was_killed_and_not_yet_waited_for_is_dead(url):
    code = "import sys, time; from pipeline.engine.lease import *; Lease(sys.argv[1]).__enter__(); time.sleep(3600)"
    with subprocess.Popen([sys.executable, "-c", code, url]) as driver:
        until(lambda: Path(url).exists() or driver.poll(), "the driver had the lease")
        assert why_alive(holder(url)) == "still running"
        driver.kill()
        until(lambda: not why_alive(holder(url)), "it counted as dead")
        with Lease(url):
            pass


# -- clocks -----------------------------------------------------------------------------------------------------------

NOW, AHEAD = 1e9, 90 * 86400.0


class Clock:
    """In place of `time`: it stands still but for `sleep`. `at`: what happens by itself after so many seconds."""

    def __init__(self, monkeypatch) -> None:
        self.passed, self.at = 0.0, {}
        monkeypatch.setattr(leases, "time", self)

    def time(self) -> float:
        return NOW + self.passed

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += seconds
        for when in [when for when in self.at if when <= self.passed]:
            self.at.pop(when)()


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


@pytest.fixture
def ahead(url, record, clock):
    """The lease of another host whose clock is far ahead of this one's."""
    return lay(url, record, host="elsewhere", expires=NOW + leases.LEASE_SECONDS + AHEAD)


def test_a_lease_by_a_clock_far_ahead_that_is_not_renewed_is_taken_over_after_a_lease(url, ahead, clock, caplog):
    assert why_alive(ahead) == "a clock that is 90 d 00 h ahead of this host's"
    with Lease(url) as lease:
        assert clock.passed == leases.LEASE_SECONDS
        assert holder(url)["token"] == lease.token
    assert "looking for 60 s whether it renews it" in caplog.text


def test_a_lease_by_a_clock_far_ahead_that_is_renewed_is_respected(url, ahead, clock):
    clock.at[15] = lambda: lay(url, ahead, expires=ahead["expires"] + 15)
    with pytest.raises(Busy, match=r"process .* on elsewhere, which renews its lease; set its clock or this one right"):
        Lease(url).__enter__()


def test_a_lease_that_another_takes_while_it_is_watched_is_theirs(url, ahead, clock):
    clock.at[15] = lambda: lay(url, ahead, host="a third", expires=NOW + 75, token="another")
    with pytest.raises(Busy, match=r"process .* on a third, which took the lease over just now"):
        Lease(url).__enter__()


def test_a_lease_that_is_given_back_while_it_is_watched_is_free(url, ahead, clock):
    clock.at[15] = Path(url).unlink
    with Lease(url) as lease:
        assert clock.passed == 15
        assert holder(url)["token"] == lease.token


# -- renewing ---------------------------------------------------------------------------------------------------------


def test_a_machine_that_opens_no_file_for_a_moment_does_not_end_the_renewing(url, monkeypatch, caplog):
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.01)
    real, failures = store.write_atomic, []

    def refuse():
        failures.append(1)
        raise OSError(errno.EMFILE, "Too many open files")

    def no_file(url, content):
        return real(url, content) if failures else refuse()

    with Lease(url) as lease:
        first = holder(url)["expires"]
        for name in ("_boot", "_namespace", "_own_start"):
            monkeypatch.setattr(leases, name, refuse)
        monkeypatch.setattr(store, "write_atomic", no_file)
        until(lambda: holder(url)["expires"] > first, "the lease was renewed")
        assert lease._renewing.is_alive()
    assert len(failures) == 1
    assert "the lease could not be renewed" in caplog.text


# -- one heir ---------------------------------------------------------------------------------------------------------


def test_who_found_the_holder_dead_before_another_took_over_leaves_it_alone(url, record, monkeypatch):
    lay_dead(url, record)
    rival, real = Lease(url), leases.why_alive

    def rival_comes_after(record):
        verdict = real(record)
        if verdict is None and not rival._renewing.is_alive():
            monkeypatch.setattr(leases, "why_alive", real)
            rival.__enter__()
        return verdict

    monkeypatch.setattr(leases, "why_alive", rival_comes_after)
    with pytest.raises(Busy, match="another driver is running here"):
        Lease(url).__enter__()
    assert holder(url)["token"] == rival.token
    assert names(url) == ["lease.json"]
    rival.__exit__()
    assert names(url) == []


def test_of_many_who_find_the_same_dead_holder_one_holds_the_lease(url, record):
    for _ in range(5):
        lay_dead(url, record)
        start, go_on, ends = threading.Barrier(6), threading.Event(), []

        def drive(start=start, go_on=go_on, ends=ends):
            start.wait()
            try:
                with Lease(url):
                    ends.append("held")
                    go_on.wait(LONG)
            except Busy:
                ends.append("busy")

        drivers = [threading.Thread(target=drive) for _ in range(6)]
        for driver in drivers:
            driver.start()
        until(lambda ends=ends: len(ends) == 6, "all had tried")
        go_on.set()
        for driver in drivers:
            driver.join()
        assert sorted(ends) == ["busy"] * 5 + ["held"]
        assert names(url) == []


def test_an_heir_at_work_is_respected_and_a_dead_one_is_taken_over(url, record):
    dead = lay_dead(url, record)
    claim = f"{url}.{dead['token']}.next"
    lay(claim, record)
    with pytest.raises(Busy, match="still running"):
        Lease(url).__enter__()
    assert holder(url) == dead
    heir = lay_dead(claim, record, token="heir")
    lay_dead(f"{url}.{heir['token']}.next", record, token="heir of the heir")
    with Lease(url) as lease:
        assert holder(url)["token"] == lease.token
        assert names(url) == ["lease.json"]


def test_an_heir_who_was_too_slow_gives_up(url, record, monkeypatch):
    dead = lay_dead(url, record)
    real = store.create_exclusive

    def slow(url, content):
        created = real(url, content)
        later = time.monotonic() + leases.LEASE_SECONDS + 1
        monkeypatch.setattr(time, "monotonic", lambda: later)
        return created

    monkeypatch.setattr(store, "create_exclusive", slow)
    with pytest.raises(Busy, match="another driver may have done so by now"):
        Lease(url)._take_over(dead)
    assert holder(url) == dead


def test_an_heir_finds_the_lease_given_back_and_makes_its_own(url, record, monkeypatch):
    lay_dead(url, record)
    real = store.create_exclusive

    def given_back(place, content):
        if place.endswith(".next"):
            store.delete(url)
        return real(place, content)

    monkeypatch.setattr(store, "create_exclusive", given_back)
    with Lease(url) as lease:
        assert holder(url)["token"] == lease.token
        assert names(url) == ["lease.json"]


# -- damaged ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff{", b'{"token": "x", "pid": "1"}'])
def test_what_is_no_lease_is_one_line_that_says_what_to_do(url, content):
    Path(url).write_bytes(content)
    for look in (lambda: holder(url), lambda: Lease(url).__enter__()):
        with pytest.raises(StoreError, match=r"is no lease .* delete that file and run the same command again") as seen:
            look()
        assert url in str(seen.value)
        assert "\n" not in str(seen.value)
    assert Path(url).read_bytes() == content

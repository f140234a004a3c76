"""What systemd would do, by a stand-in at the other end of the notify socket: readiness, the watchdog, a start again."""
import os
import signal
import socket
import time

import pytest


class Supervisor:
    """A notify socket (sd_notify(3)) that remembers what it was told, and when."""

    def __init__(self, folder):
        self.path = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(0.1)

    def environment(self, watchdog_ms):
        return {"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": str(watchdog_ms * 1000)}

    def hear(self, wanted, seconds=20):
        """Datagrams until this one; those before it are dropped."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if self.socket.recv(4096).decode() == wanted:
                    return True
            except socket.timeout:
                pass
        return False

    def drain(self):
        try:
            while True:
                self.socket.recv(4096)
        except socket.timeout:
            pass

    def close(self):
        self.socket.close()


def supervised(stand, supervisor):
    s = stand(start=False)
    s.start_broker()
    s.start_sim()
    s.mqtt = s.listener()
    s.start_daemon(environment=supervisor.environment(400))
    return s


@pytest.fixture
def supervisor(tmp_path):
    s = Supervisor(tmp_path)
    yield s
    s.close()


def test_ready_alive_stopping(stand, supervisor):
    s = supervised(stand, supervisor)
    assert supervisor.hear("READY=1")
    assert all(supervisor.hear("WATCHDOG=1") for _ in range(3))
    s.daemon.popen.send_signal(signal.SIGTERM)
    assert supervisor.hear("STOPPING=1")
    assert s.daemon.popen.wait(15) == 0


def test_stopped_beyond_the_watchdog_and_started_again(stand, supervisor):
    """SIGSTOP: nothing is fed; systemd would end it and start it again. No door opens by that, and the ledger is whole."""
    s = supervised(stand, supervisor)
    assert supervisor.hear("READY=1")
    pulses = s.pulses()
    os.kill(s.daemon.popen.pid, signal.SIGSTOP)
    supervisor.drain()
    assert not supervisor.hear("WATCHDOG=1", seconds=2)  # five periods
    os.kill(s.daemon.popen.pid, signal.SIGABRT)
    os.kill(s.daemon.popen.pid, signal.SIGCONT)
    assert s.daemon.popen.wait(15) != 0
    s.start_daemon(environment=supervisor.environment(400))
    assert supervisor.hear("READY=1") and supervisor.hear("WATCHDOG=1")
    assert s.pulses() == pulses


def test_a_line_that_is_dead_is_no_hang(stand, supervisor):
    """The bus asks, times out and goes on: the watchdog is fed. Only a driver that never gives an answer would starve it."""
    s = supervised(stand, supervisor)
    s.end_sim()
    s.mqtt.wait(lambda: any(k.startswith("alarm/board_lost") and v for k, v in s.mqtt.retained.items()), what="the board is missed")
    supervisor.drain()
    assert supervisor.hear("WATCHDOG=1")

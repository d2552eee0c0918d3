"""Take a USB device away from the system and give it back, as if it were plugged in anew."""

import time
from dataclasses import dataclass
from pathlib import Path

from visigate_logging.options import Seconds
from visigate_logging.recovery.steps.base import Context, Outcome, Status, Step


@dataclass(frozen=True, kw_only=True)
class UsbReset(Step):
    """Switch a device's ``authorized`` off and on (https://docs.kernel.org/usb/authorization.html).

    It is found by what does not change when it is plugged in elsewhere or the host restarts.

    Args:
        device: ``VENDOR:PRODUCT`` in hex, as lsusb shows.
        serial: serial number, when there are several of that kind.
        rest: how long it stays off, seconds.
        sysfs: where the kernel shows the devices.
        timeout: seconds.
    """

    device: str
    serial: str = ""
    rest: Seconds = 2.0
    sysfs: str = "/sys/bus/usb/devices"
    timeout: Seconds = 30.0

    def __post_init__(self) -> None:
        vendor, _, product = self.device.partition(":")
        if len(vendor) != 4 or len(product) != 4:
            raise ValueError(f"device is {self.device!r}; it must be VENDOR:PRODUCT as lsusb shows, like '046d:0825'")

    def run(self, context: Context) -> Outcome:
        """Find exactly one, switch it off, and on again whatever happens."""
        found = [p for p in sorted(Path(self.sysfs).glob("*")) if self._is_it(p)]
        if len(found) != 1:
            told = "is not there" if not found else f"is there {len(found)} times; give its serial"
            return Outcome(Status.FAILED, f"USB device {self.device} {told}")
        authorized = found[0] / "authorized"
        try:
            authorized.write_text("0", "ascii")
            time.sleep(self.rest)
        except OSError as error:
            return Outcome(Status.FAILED, f"{authorized} cannot be written: {error}")
        finally:
            if authorized.read_text("ascii").strip() == "0":
                authorized.write_text("1", "ascii")
        return Outcome(Status.DONE, f"USB device {self.device} ({found[0].name}) was reset")

    def _is_it(self, folder: Path) -> bool:
        try:
            device = f"{_read(folder, 'idVendor')}:{_read(folder, 'idProduct')}"
            return device == self.device.lower() and self.serial in {"", _read(folder, "serial")}
        except OSError:
            return False


def _read(folder: Path, name: str) -> str:
    return (folder / name).read_text("ascii").strip()

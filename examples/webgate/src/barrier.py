"""The barrier: a relay at a serial port, and a pin for the light."""

import logging

import serial

logger = logging.getLogger("VisiGate.barrier")


class Pins:
    """Stands for RPi.GPIO, whose pins a desk has not."""

    def output(self, pin, value):
        raise RuntimeError("Please set pin numbering mode using GPIO.setmode(GPIO.BOARD) or GPIO.setmode(GPIO.BCM)")


class Barrier:
    """Opens, and shows a light."""

    def __init__(self, config):
        self.config = config["barrier"]
        self.pins = Pins()

    def open(self, plate):
        try:
            with serial.Serial(self.config["port"], self.config["baud"], timeout=1) as port:
                port.write(b"OPEN\n")
            return True
        except Exception as e:
            logger.error(f"Error opening barrier for {plate}: {e}")
            return False

    def light(self, on):
        try:
            self.pins.output(self.config["pin"], on)
        except Exception as e:
            logger.error(f"Error switching light: {e}")

    def close_after(self):
        try:
            return self.config["close_after"] * 1000
        except Exception as e:
            logger.error(f"Error scheduling close: {e}")
            return None

    def check(self):
        state = None
        if state is None:
            logger.error(f"Barrier does not answer on {self.config['port']}")

"""Make the pictures of the mails in docs/images: ``python -m docs.mail_pictures``; needs what ``make test`` installs.

One mail of a camera that does not answer, as HTML at 360 and 1280 px in light and dark, and its text part.
"""

import email
import email.policy
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.web import chromium
from visigate_logging.delivery.digest import Digest, Item
from visigate_logging.delivery.mail import MailTemplate, compose
from visigate_logging.delivery.throttle import Incident
from visigate_logging.detail.record import ErrorDetail, ExceptionData, Frame
from visigate_logging.host import Sheet

IMAGES = Path(__file__).parent / "images"
URL = "http://gate-north.local:5000/errors"
SIZES = {"phone": {"width": 360, "height": 780}, "desk": {"width": 1280, "height": 900}}
TRACEBACK = """\
Traceback (most recent call last):
  File "/opt/visigate/src/camera.py", line 88, in read
    return self.stream.read(timeout=5.0)
TimeoutError: no answer within 5.0 s

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/opt/visigate/src/gate.py", line 140, in watch
    frame = camera.grab()
  File "/opt/visigate/src/camera.py", line 42, in grab
    raise CameraError(f"cannot open {self.url}") from error
CameraError: cannot open rtsp://***@10.0.0.21/stream1
"""


def main() -> None:
    """Make all pictures, and the text."""
    IMAGES.mkdir(exist_ok=True)
    message = email.message_from_bytes(compose(digest(), "1-picture", template()), policy=email.policy.default)
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    if html is None or text is None:
        raise SystemExit("the mail has not both parts")
    (IMAGES / "mail.txt").write_text(f"Subject: {message['Subject']}\n\n{text.get_content()}", "utf-8")
    with sync_playwright() as playwright:
        browser = chromium.launch(playwright)
        if browser is None:
            raise SystemExit("no Chromium; `make test` gets one")
        for name, size in SIZES.items():
            for scheme in ("light", "dark"):
                page = browser.new_page(viewport=size, color_scheme=scheme)
                page.set_content(html.get_content())
                page.screenshot(path=IMAGES / f"mail-{name}-{scheme}.png")
        browser.close()


def template() -> MailTemplate:
    """Who gets it."""
    return MailTemplate("VisiGate <gate@example.org>", ("admin@example.org",), "", URL)


def digest() -> Digest:
    """What it tells."""
    code = 'raise CameraError(f"cannot open {self.url}") from error'
    frames = (
        Frame("/opt/visigate/src/gate.py", 140, "watch", "src.gate", "frame = camera.grab()", in_app=True),
        Frame("/opt/visigate/src/camera.py", 42, "grab", "src.camera", code, in_app=True),
    )
    cause = ExceptionData("TimeoutError", "builtins", "no answer within 5.0 s", relation="cause", parent=0)
    error = "cannot open rtsp://***@10.0.0.21/stream1"
    detail = ErrorDetail(
        timestamp="2026-03-02T01:10:04.120000Z",
        error_type="CameraError",
        error_message=error,
        message=f"Error in camera north: {error}",
        module="src.camera",
        function="grab",
        traceback=TRACEBACK,
        additional_info={"camera": "north", "attempt": 3},
        event_id="01a217c63e5b78a89348523b5dd953ed",
        severity="CRITICAL",
        category="camera",
        fingerprint="v2:camera",
        culprit="camera in grab",
        exceptions=(ExceptionData("CameraError", "src.errors", error, frames=frames), cause),
        file="/opt/visigate/src/camera.py",
        line=42,
        process="camera-worker",
        pid=812,
        thread="MainThread",
        host="gate-north-pi",
        service="gate-north",
        release="2.4.1",
    )
    group = Incident(
        detail.fingerprint,
        "CRITICAL",
        since=0.0,
        seen=1880.0,
        first_time="2026-03-02T01:10:09.310000Z",
        last_time="2026-03-02T01:41:24.511000Z",
        began="2026-03-02T01:10:04.120000Z",
        untold=94,
        told=1,
        told_at=1.0,
        worse="it was ERROR before",
    )
    recovery = "camera: failed, reopen: no answer within 5.0 s; usb_reset: done, but still no picture (01:12:09)"
    sheet = Sheet(accepted=131, delivered=3, folded=128, dropped={}, pending=0)
    return Digest((Item(group, detail, now=1890.0, recovery=recovery),), sheet)


if __name__ == "__main__":
    main()

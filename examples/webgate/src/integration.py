"""Telling others: mails, and webhooks."""

import logging
import smtplib
import socket

import requests

logger = logging.getLogger("VisiGate.integration")
mail_logger = logging.getLogger("visigate.notifications")


class NotificationManager:
    """Mails about vehicles."""

    def __init__(self, config):
        self.config = config["notifications"]["email"]

    def send_email_notification(self, subject, message):
        to = self.config["to_addresses"]
        try:
            with smtplib.SMTP(self.config["smtp_server"], self.config["smtp_port"], timeout=3) as server:
                if self.config.get("username"):
                    server.login(self.config["username"], self.config["password"])
                server.sendmail(self.config["from_address"], to, f"Subject: {subject}\n\n{message}")
            return True
        except Exception as e:
            mail_logger.error(f"Failed to send email to {to}: {e}")
            return False


class Webhook:
    """Posts events to another system."""

    def __init__(self, config):
        self.url = config["integration"]["webhook"]

    def post(self, event):
        try:
            response = requests.post(self.url, json=event, timeout=2)
            response.raise_for_status()
            return response.json()["id"]
        except Exception as e:
            logger.error(f"Error posting event {event['plate']} to webhook: {e}")
            return None

    def resolve(self, host):
        try:
            return socket.getaddrinfo(host, 443)
        except Exception as e:
            logger.error(f"Error resolving {host}: {e}")
            return None

"""What a table of masks is made of: names and values of secrets, what carries them, and texts without any."""

import html
import json
import urllib.parse
from collections.abc import Callable

NAMES = [
    "password", "db_password", "passwd", "passphrase", "client_secret", "api_key", "X-Api-Key", "access_token",
    "authToken", "csrftoken", "authtoken", "apitoken", "sessiontoken", "dbpass", "userpass", "mqttpw",
    "smtppass", "wifipsk", "PHPSESSID", "JSESSIONID", "sid", "otp", "signing_key", "license_key", "wpa_key",
    "community", "door_code", "gate_code", "alarm_code", "Passwort", "Kennwort", "admin_passwort", "wachtwoord",
    "heslo", "hasło", "jelszó", "geslo", "lozinka", "parola", "senha", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY",
    "session_id", "private_key", "encryption_key", "jwt", "psk", "credentials", "master_key",
    "connection_string",
]  # fmt: skip
VALUES = ["Sommer2024x", "7d793037a0760186", "pa5s-w0rd.teil", "kZ8_vQ2mT4"]
SECRETS = [(name, value) for name in NAMES for value in VALUES]
"""Two hundred."""


def _escaped(times: int) -> Callable[[str, str], str]:
    def carry(name: str, value: str) -> str:
        text = json.dumps({"host": "10.0.0.5", name: value}, ensure_ascii=False)
        for _ in range(times):
            text = json.dumps(text, ensure_ascii=False)
        return f"answer was {text}"

    return carry


CARRIERS: dict[str, Callable[[str, str], str]] = {
    "assignment": lambda name, value: f"login failed with {name}={value}, retrying",
    "repr of a dict": lambda name, value: f"config was { ({'user': 'gate', name: value})!r}",
    "JSON": _escaped(0),
    "JSON in JSON": _escaped(1),
    "JSON, escaped three times": _escaped(3),
    "JSON, the value on the next line": lambda name, value: f'{{\n  "{name}":\n        "{value}"\n}}',
    "YAML": lambda name, value: f"mqtt:\n  {name}: {value}\n  port: 1883\n",
    "a block of YAML": lambda name, value: f"mqtt:\n  {name}: |\n    {value}\n  port: 1883\n",
    "query of an address": lambda name, value: f"GET http://10.0.0.5/cgi?user=gate&{name}={value}&n=1 failed",
    "percent-escaped JSON": lambda name, value: "body " + urllib.parse.quote(f'{{"{name}":"{value}"}}', safe="ółő"),
    "escaped for HTML": lambda name, value: "page " + html.escape(json.dumps({name: value}, ensure_ascii=False)),
    "XML": lambda name, value: f"<config><{name}>{value}</{name}><port>80</port></config>",
}

FORMS = [
    ("rtsp://admin:pass wort@10.0.0.5:554/1", "pass wort"),
    ("rtsp://admin:pass'wort@10.0.0.5/1", "pass'wort"),
    ('rtsp://admin:pass"wort@10.0.0.5/1', 'pass"wort'),
    ("rtsp://admin:pass/wort@10.0.0.5/1", "pass/wort"),
    ("send: 'AUTH PLAIN AGFkbWluAGh1bnRlcjI=\\r\\n'", "AGFkbWluAGh1bnRlcjI="),
    ("AUTH LOGIN aHVudGVyMg==", "aHVudGVyMg=="),
    ("send: 'aHVudGVyMg==\\r\\n'", "aHVudGVyMg=="),
    ("https://login.example.org/callback?code=4AX4XfWhB2mKd93kLqP&state=1", "4AX4XfWhB2mKd93kLqP"),
    ("account DE89 3704 0044 0532 0130 00 was charged", "0532"),
    ("iban=AT611904300234573201", "AT611904300234573201"),
    ("card 4111 1111 1111 1111 refused", "4111 1111"),
    ("card 5555555555554444 refused", "5555555555554444"),
    ("card 378282246310005 refused", "378282246310005"),
    ("wpa_key: 'zwei worte'", "zwei worte"),
    ("Mot de passe: soleil77", "soleil77"),
    ("пароль: zima2077", "zima2077"),
]

INNOCENT_WORDS = [
    "camera north is offline since 12:30",
    "3 tokens left of 100",
    "token count: 512",
    "the pass was opened at 14:05",
    "compass: 270",
    "bypass=on",
    "passenger: anna",
    "sidebar: open",
    "side: left",
    "inside: 3 cars",
    "community garden gate opened",
    "door codes are checked at night",
    "door: 3",
    "gate: north",
    "license plate B-AB 1234 is not known",
    "licence: MIT",
    "license: MIT",
    "key: plates",
    "keyboard: de",
    "monkey=5",
    "sign: +",
    "designing: yes",
    "order number 4111111111111112",
    "serial 1234567890123456",
    "timestamp 1789654321000000 is in the future",
    "event 0197fa3c2b7e7d3a9c1e5f7a8b9c0d1e",
    "commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "id 550e8400-e29b-41d4-a716-446655440000 gone",
    "mac aa:bb:cc:dd:ee:ff left",
    "ratio 0.123456789012345678",
    "phone +49 30 123456789",
    "version 1.2.3-rc.4+build.567890123456",
    "/usr/lib/python3.11/site-packages/requests/adapters.py",
    "visigate_logging.recovery.sqlite.restore_from_backup_generation",
    "test_a_very_long_name_of_a_test_function_that_nobody_shortens",
    "https://example.org/a/very/long/path/without/any/secret?page=2&sort=name",
    "https://example.org/callback?code=404",
    "http://10.0.0.5:8080/status, mail admin@example.org",
    "see http://camera.local/help or write to anna@example.org",
    "rtsp://10.0.0.5:554/stream1?channel=2",
    "exit code=137",
    "status_code=401",
    "error code: 5",
    "unlock_coded: no",
    "AUTH is not supported by this server",
    "AUTH PLAIN is offered",
    "authors=Anna and Bob",
    "authenticated: yes",
    "the community edition is used",
    "parole: none",
    "parolan",
    "heslington: 5",
    "pinned: 4000",
    "spinning=4000",
    "send: 'ehlo gate.local\\r\\n'",
    "reply: b'250 OK\\r\\n'",
    "SKU 123456",
    "skeleton-of-a-very-long-hyphenated-word",
    "sk-short",
    "eyJ",
    "key-value store",
    "hf_model",
    "dapifunction called",
    "SG.short.text",
    "glpat-short",
    "AIza",
    "npm_config_registry=https://registry.example.org",
    "MNOPQRSTUVWXYZ.abcdef.ghi",
    "%20 and %3D alone",
    "&quot;camera&quot;:&quot;north&quot;",
    "%22camera%22%3A%22north%22",
    '{\\"camera\\": \\"north\\"}',
    '{\\\\\\"camera\\\\\\": \\\\\\"north\\\\\\"}',
    "camera: |\n  north\n  south\n",
    "<camera>north</camera>",
    "SELECT plate FROM vehicles WHERE plate = ?",
    "INSERT INTO vehicles (plate, owner) VALUES ('B-AB 1234', 'anna')",
    "[parameters: ('B-AB 1234', 'anna')]",
    "BIC DEUTDEFF500",
    "DE12 is a road",
    "plate AB12 CDE 3456",
    "4 of 16 cameras",
    "4000 1234 5678 9010",
]

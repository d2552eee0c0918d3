"""The names by which secrets go."""

SECRET_KEYS = (
    "password", "passwd", "passphrase", "pwd", "pass", "loginpas", "psk", "passcode", "secret", "token",
    "api_key", "access_key", "account_key", "encryption_key", "private_key", "credential", "authorization",
    "auth", "cookie", "session_id", "csrf", "xsrf", "jwt", "pin_code", "phpsessid", "jsessionid", "sessid",
    "sid", "otp", "totp", "signing_key", "license_key", "licence_key", "wpa_key", "wep_key", "wifi_key",
    "master_key", "secret_key", "shared_key", "ssh_key", "community", "door_code", "gate_code", "entry_code",
    "access_code", "alarm_code", "unlock_code", "passkey", "connection_string", "passwort", "kennwort",
    "kenncode", "zugangscode", "zugangsdaten", "wachtwoord", "mot de passe", "heslo", "hasło", "haslo", "jelszó",
    "jelszo", "geslo", "lozinka", "contraseña", "senha", "parola", "adgangskode", "kodeord", "lösenord",
    "passord", "salasana", "slaptažodis", "parool", "пароль", "şifre",
)  # fmt: skip
"""A key is secret when it has one of these among its words: ``db_password``, ``X-Api-Key``, ``userToken``.

``pw`` is as the last word, ``pin`` too when its value has four digits or more: the pins of a board have fewer. Never
is ``key`` by itself: it mostly names an entry of a cache or a mapping, which is what one looks for after an error.
"""

INSIDE_WORDS = ("password", "passwd", "passphrase", "secret", "apikey")
"""Long enough to be no accident inside another word: PGPASSWORD, clientsecret."""

GLUED_TO = (
    "access", "admin", "api", "app", "auth", "bearer", "bot", "cam", "camera", "csrf", "xsrf", "db", "device",
    "ftp", "http", "id", "imap", "jwt", "ldap", "login", "mail", "mqtt", "my", "mysql", "nvr", "onvif", "pg",
    "proxy", "redis", "refresh", "root", "rtsp", "session", "sip", "smtp", "snmp", "sql", "sudo", "user", "vpn",
    "web", "wifi", "wlan", "wpa",
)  # fmt: skip
GLUED = rf"(?:{'|'.join(GLUED_TO)})(?:tokens?|pass|pw|pwd|psk|passwort|kennwort)"
"""Names that are written in one word: dbpass, mqttpw, csrftoken."""

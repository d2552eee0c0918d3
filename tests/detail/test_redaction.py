"""Secrets are masked, harmless texts stay, and no text makes a pattern slow."""

import time

import pytest

from visigate_logging.detail.redaction import Redactor
from visigate_logging.detail.values import Sanitiser

R = Redactor(["address", "Kennwörter", "plate_номер"])
S = "hunter2"

WITH_SECRETS = [
    "rtsp://admin:hunter2@10.0.0.5/stream",
    "rtsp://admin:p@ss/hunter2@host:554/x",
    "postgresql://u:hunter2@h/db",
    "cannot open rtsp://hunter2@h:554, retrying",
    "http://a:b@h and rtsp://c:hunter2@i",
    "rtsp://:hunter2@h",
    "rtsp://admin:12hunter2@h",
    "password=hunter2",
    "password='hunter2'",
    '{"password": "ab\\"hunter2"}',
    '{\\"password\\": \\"hunter2\\"}',
    "password=b'hunter2'",
    "password=SecretStr('hunter2')",
    "passwords: ['a', 'hunter2']",
    "password={'old': 'x', 'new': 'hunter2'}",
    'password="hunter2 unterminated',
    "password: str = 'hunter2'",
    "userToken=hunter2",
    "accessToken: hunter2",
    "X-Api-Key: hunter2",
    "Authorization: Bearer hunter2",
    "Authorization: Basic aHVudGVyMg==hunter2",
    "Cookie: session=hunter2; a=hunter2",
    "Set-Cookie: sid=hunter2; Path=/",
    "--password hunter2",
    "--db-password=hunter2",
    "['--password', 'hunter2']",
    "Command '['curl', '-u', 'admin:hunter2', 'http://10.0.0.5/snapshot']' returned non-zero exit status 7.",
    "curl -s -u admin:hunter2 http://10.0.0.5/snapshot",
    "curl --user=admin:hunter2 --proxy-user 'a:hunter2'",
    "('password', 'hunter2')",
    "password=ab)hunter2",
    "PGPASSWORD=hunter2",
    "AWS_SECRET_ACCESS_KEY=hunter2/abc",
    "Bearer hunter2hunter2X",
    "addresses=hunter2",
    "address: hunter2",
    "Kennwörter: hunter2",
    "plate_номер=hunter2",
    "PASSWORD=hunter2",
    "AUTH_TOKEN=hunter2",
    "{'headers': {'Authorization': 'Bearer hunter2'}}",
    "headers={'Cookie': 'a=1; hunter2'}",
    "user.password = 'hunter2'",
    "jwt=hunter2",
    "pwd=hunter2;x",
    "?token=hunter2&a=b",
    "http://10.0.0.5/snapshot?user=admin&pass=hunter2",
    "{'smtp': {'user': 'gate', 'pass': 'hunter2'}}",
    "psk=hunter2",
    "token => hunter2",
    "eyJhbGciOiJIUzI1NiJ9.hunter2eyJzdWIi.hunter2",
    "ghp_hunter2aaaaaaaaaaaaaaaaa",
    "AKIAHUNTER2AAAAAAAAA",
    "sk-hunter2aaaaaaaaaaaaaaaaa",
    "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN EC PRIVATE KEY-----\\nhunter2",
    "password = 'a' 'b', token=hunter2",
    "curl -uadmin:hunter2 http://10.0.0.5/snapshot",
    "curl -sSu admin:hunter2 -o a.jpg http://10.0.0.5/snapshot",
    "['curl', '-s', '-uadmin:hunter2', 'http://10.0.0.5/snapshot']",
    "curl -u 1000:hunter2 http://10.0.0.5",
    "sshpass -p hunter2 ssh pi@gate",
    "sshpass -phunter2 ssh pi@gate",
    "['sshpass', '-p', 'hunter2', 'ssh', 'pi@gate']",
    "sshpass -p 'the hunter2' ssh pi@gate",
    "mysql -u gate -phunter2 permits",
    "['mysqldump', '-ugate', '-phunter2', 'permits']",
    "mariadb-dump -phunter2 permits",
    "mosquitto_pub -h broker -u gate -P hunter2 -t gate/opened",
    "mosquitto_sub --pw hunter2 -t gate/opened",
    "['mosquitto_sub', '-u', 'gate', '-P', 'hunter2']",
    "nmcli device wifi connect Gate password hunter2",
    "mqtt://gate:hunter2@broker:1883",
    "redis://:hunter2@10.0.0.5:6379/0",
    "password is hunter2",
    "the password was 'hunter2'",
    "invalid password 'hunter2' for user admin",
    'authentication with passphrase "a hunter2" failed',
    "pw=hunter2",
    "db_pw: 'hunter2'",
    '"the password \\"hunter2\\" is wrong"',
    '{"user": "admin", "pw": "hunter2"}',
    "Server=db;Uid=gate;Pwd=hunter2;Database=permits",
    "Driver={ODBC};UID=gate;PWD={hunter2;x};",
    "AccountName=gate;AccountKey=hunter2==;EndpointSuffix=core",
    "SharedAccessKey=hunter2=",
    "ENCRYPTION_KEY=hunter2",
    "Authorization: Token hunter2",
    "Proxy-Authorization: Basic hunter2==",
    "<Password>hunter2</Password>",
    '<wsse:Password Type="http://docs.oasis-open.org/wss#PasswordDigest">hunter2=</wsse:Password>',
    "<tt:UserPassword>hunter2</tt:UserPassword>",
    "<Password><![CDATA[hunter2]]></Password>",
    '<User name="gate" password="hunter2"/>',
    "github_pat_hunter2aaaaaaaaaaaaaaaaaaaaaaa",
    "url: ghs_hunter2aaaaaaaaaaaaaaaaa",
    "https: Max retries exceeded with url: /bot123456789:AAhunter2AAAAAAAAAAAAAAAAAAAAAAAAAAA/sendMessage",
    "https://hooks.slack.com/services/T000/B000/hunter2",
    "https://discord.com/api/webhooks/123/hunter2",
    "https://api.example.org/plates?key=aaahunter2aaaaaaaaaa&country=de",
    "https://files.example.org/a.jpg?se=2026&sig=hunter2hunter2hunter2%3D",
    "rtsp://10.0.0.5:554/user=admin&password=hunter2&channel=1",
    "rtsp://10.0.0.5:554/user=admin_password=hunter2_channel=1_stream=0.sdp",
    "http://10.0.0.5/videostream.cgi?loginuse=admin&loginpas=hunter2",
]

PINS = [
    '{"pin": 4711}',
    '{\\"pin\\": \\"4711\\"}',
    "PIN=4711",
    "wrong PIN: 004711",
    "wrong PIN 4711",
    "gate_pin='4711'",
    "doorPin => 4711",
    "the pin is 4711, again",
    "?pin=4711&gate=1",
    "<Pin>4711</Pin>",
    "pin_code=4711",
]
DIGEST = "6629fae49393a05397450978507c4ef1"
DIGESTS = [
    f'Authorization: Digest username="gate", uri="/1", response="{DIGEST}", qop=auth',
    f"{{'Authorization': 'Digest username=\"gate\", response=\"{DIGEST}\"'}}",
    f'"Digest username=\\"gate\\", response=\\"{DIGEST}\\""',
    f"digest {{'username': 'gate', 'response': '{DIGEST}'}}",
]

HARMLESS = [
    "GPIO pin: 17",
    "journalctl -u visigate-camera",
    "fetch -u http://10.0.0.5:80/snapshot",
    "--user visigate --group video",
    "author: Bob",
    "AUTHOR: Bob",
    "Authors: a, b",
    "3 tokens left",
    "unexpected token in line 3",
    "time 12:30",
    "http://host:8080/path?mail=a@b.c",
    "basic understanding",
    "Basic understanding",
    "Basic Authentication required",
    "Digest authentication failed",
    "Bearer token expired",
    "bearer of bad news.",
    "negotiate settings",
    "the secret of success",
    "a password is needed",
    "compass=3",
    "bypass: 3",
    "the test did pass, and 3 passes follow",
    "    pass\nelse: x",
    "passenger: Bob",
    "task-force-of-the-whole-world-now",
    "monkey: 5",
    "keyboard: de",
    "authority=x",
    "rtsp://10.0.0.5:554/stream",
    "mail a@b.c",
    "KeyError: 'plate'",
    "cookiecutter failed",
    "'tokenize' failed",
    "class Passage: x",
    "[Errno 111] Connection refused",
    "http://host/a/b?x=1#y",
    "see https://docs.python.org/3/library/ssl.html",
    "skip-this-very-long-hyphenated-name",
    "pin=17",
    "GPIO pin 27 is high",
    "gpio_pin: 529",
    "{'pin': 'GPIO17'}",
    "pins 4, 17 and 27",
    "pinned: 4000",
    "ping: 4000 ms",
    "mapping=4000",
    "spin: 1234",
    "pin is 4711.5 mm off",
    "KeyError: 'key'",
    "{'key': 'camera:north'}",
    "cache key: plates/2026/11/23",
    "key=B-AB 1234",
    "unknown key 'barrier' in row 12345678",
    "http://10.0.0.5/get?key=camera-north-entrance",
    "http://10.0.0.5/bottom:3",
    "response=200, digest=md5",
    "digest mismatch, response: <Response [401]>",
    "password is required",
    "password is too short: 8 characters are needed",
    "the password was changed 3 days ago",
    "<Password object at 0x7f0123456789> is wrong",
    "<input type=text> <b>token</b>",
    "docker run -u 1000:1000 gate",
    "['docker', 'run', '--user', '1000:1000', 'gate']",
    "curl -o snapshot.jpg http://10.0.0.5:80/snapshot",
    "curl -su http://10.0.0.5:80/snapshot",
    "mysql -u gate -p permits",
    "mysql -P 3306 -h 10.0.0.5",
    "mosquitto_pub -p 1883 -t gate/opened",
    "nmcli device wifi connect Gate",
    "the account is locked",
    "encryption failed",
    "httpwrapper: 5",
    "return entry.pw_uid == 0",
    "PW_CHECK_PROTOCOL=1",
    'raise ValueError("file %r is encrypted, password "',
    "light_high: 5, right: 4711, gh_x",
    '  File "/usr/lib/python3.11/asyncio/tasks.py", line 1234, in pin\n    return self._mapping[key]',
]


@pytest.mark.parametrize("text", WITH_SECRETS)
def test_a_secret_in_a_text_is_masked(text: str) -> None:
    masked = R.text(f"before {text} after")
    assert S not in masked.lower()
    assert "***" in masked
    assert masked.startswith("before ")


@pytest.mark.parametrize("text", PINS)
def test_a_pin_with_the_digits_of_a_code_is_masked(text: str) -> None:
    masked = R.text(f"before {text} after")
    assert "4711" not in masked
    assert "***" in masked


def test_all_digits_are_masked_in_a_list_of_codes_too() -> None:
    sanitised = Sanitiser(Redactor(), 65_536).value(
        {"pin": 4711, "door_pin": "0042", "pins": ["4711", "4712"], "PIN": 17, "pin_code": 1, "pinned": 4711}
    )
    assert sanitised == {"pin": "***", "door_pin": "***", "pins": "***", "PIN": 17, "pin_code": "***", "pinned": 4711}


@pytest.mark.parametrize("text", DIGESTS)
def test_what_http_digest_sends_for_the_password_is_masked_and_the_rest_stays(text: str) -> None:
    masked = R.text(text)
    assert DIGEST not in masked
    assert "gate" in masked


@pytest.mark.parametrize("text", HARMLESS)
def test_a_harmless_text_stays(text: str) -> None:
    assert R.text(text) == text


def test_what_is_beside_a_secret_stays() -> None:
    text = "no picture from rtsp://admin:hunter2@10.0.0.5:554/stream?channel=1, password='x', retry in 5 s"
    assert R.text(text) == "no picture from rtsp://***@10.0.0.5:554/stream?channel=1, password=***, retry in 5 s"


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("password", True),
        ("db_password", True),
        ("X-Api-Key", True),
        ("userToken", True),
        ("tokens", True),
        ("PGPASSWORD", True),
        ("clientsecret", True),
        ("Authorization", True),
        ("sessionId", True),
        ("address", True),
        ("addresses", True),
        ("Kennwörter", True),
        ("plate_номер", True),
        ("credentials", True),
        ("access_keys", True),
        ("author", False),
        ("pin", False),
        ("pw", True),
        ("db_pw", True),
        ("pw_uid", False),
        ("loginpas", True),
        ("AccountKey", True),
        ("spin", False),
        ("key", False),
        ("plate", False),
        ("compass", False),
        ("", False),
        ("monkey", False),
        ("номер", False),
        ("x" * 10_000, False),
    ],
)
def test_a_key_is_secret_by_its_words(key: str, secret: bool) -> None:
    assert R.is_secret(key) is secret


FRAGMENTS = [
    "://",
    "a://b:",
    "://a:b",
    "password=",
    'password="',
    "password='",
    'password=\\"',
    "password=(",
    "password=a(",
    "password=a'",
    "password=b'",
    "password='\\",
    "password=[",
    "password=\\",
    "-----BEGIN A-----",
    "-----BEGIN ",
    "-----END A-----",
    "eyJ",
    "eyJ-",
    "eyJaaaaa.",
    "eyJaaaaa-",
    "Bearer ",
    "Bearer a-",
    "Basic aaaaaaaaaaaaaaaaaaaaa",
    "Basic a-a-a-a-",
    "cookie:",
    "cookie",
    "authorization ",
    "auth",
    "auth_",
    "--password ",
    "-a-",
    "- ",
    "--a-auth",
    "token,",
    "token ",
    "sk-",
    "xoxb-",
    "ghp_",
    "AKIA",
    "A",
    "\\",
    "secret_access_key",
    "api key",
    "a@",
    "/",
    "://a@",
    "://:",
    "token:(",
    "tokens",
    '"token',
    'token"   ',
    "token a",
    "apiKey",
    "\n",
    "'",
    '"',
    "=",
    "pin ",
    "pin:'",
    "<password ",
    "<a:",
    "<password>",
    "password is ",
    "password '",
    "password is 1a",
    "sshpass -p",
    "nmcli ",
    "nmcli password",
    "curl ",
    "curl -u",
    "curl -ua",
    "mysql ",
    "mysql -p",
    "mosquitto_ -P ",
    "http&key=",
    "http/bot123456:",
    "digest response=",
    "gh",
    "ghp_a",
    "token: a:",
    "token: a.",
    "token: a ",
    "token: (a.",
    "token: 1.",
    "token: /a",
    "token: 'a' ",
    "password was: ",
    "authorization: Basic ",
    "cookie: a",
    "INSERT x (password) VALUES ('a', ",
    "INSERT x (password) VALUES (?) parameters: (",
    "UPDATE password = ? ",
    "SELECT password ",
    "INSERT (",
    "parameters: ",
    "password: |\n a",
    "password&quot;:&quot;",
    "password%3a%22",
    "password=&quot;a",
    "a%22",
    "AKIA",
    "4111 ",
    "AB12 ",
    "AB12AB12",
    "123456789:A",
    "MNO",
    "Ma.a",
    "://a:b ",
    "http://a:b c",
    "send: 'AAAA",
    "AUTH PLAIN ",
    '\\\\"password\\\\":',
]


@pytest.mark.parametrize("size", [16_384, pytest.param(65_536, marks=pytest.mark.stress)])
@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_no_repeated_fragment_makes_a_pattern_slow(fragment: str, size: int) -> None:
    for prefix in ("", 'password="', "token ", "eyJ://-----BEGIN A-----"):
        text = (prefix + fragment * (size // len(fragment) + 1))[:size]
        started = time.process_time()
        R.text(text)
        assert time.process_time() - started < 0.5 * size / 65_536


def test_keys_that_are_remembered_are_bounded() -> None:
    redactor = Redactor()
    for number in range(5000):
        redactor.is_secret(f"key{number}")
    assert len(redactor._known) <= 1024
    redactor.is_secret("x" * 100_000)
    assert "x" * 100_000 not in redactor._known


def test_a_key_to_mask_that_has_no_words_is_passed_over() -> None:
    assert Redactor(["---", ""]).text("--- = 5") == "--- = 5"


@pytest.mark.parametrize(
    ("value", "is_secret"), [("123", False), ("1234", True), ("123456789012", True), ("1234567890123", False)]
)
def test_a_pin_has_four_to_twelve_digits_and_the_pins_of_a_board_have_fewer(value, is_secret):
    assert (R.text(f"pin={value}") == "pin=***") is is_secret
    assert (R.text(f"the pin is {value}") == "the pin is ***") is is_secret
    assert R.is_secret("pin", value) is is_secret

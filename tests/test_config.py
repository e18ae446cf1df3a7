"""One configuration of file, environment and flags; what is wrong is named with its place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamser import strict
from streamser.config import Config, loopback
from streamser.layers import ConfigError, Layers, line_of

TOKEN = "0123456789abcdef"


def load(folder: Path, text: str, *flags: str, **environment: str) -> Config:
    path = folder / "config.toml"
    path.write_text(text)
    return Layers(path=path, environment=environment, settings=flags).load()


def test_nothing_at_all_is_a_configuration() -> None:
    config = Layers(environment={"HOME": "/nonexistent"}).load()
    assert config == Config()
    assert (config.socket, config.websocket, config.mqtt) == (None, None, None)


def test_flags_stand_over_environment_over_file(tmp_path: Path) -> None:
    text = "[websocket]\nport = 1\nclients = 1\nqueue = 16\n[listen]\ninput = 'mic:7'\n"
    config = load(
        tmp_path,
        text,
        "websocket.clients=3",
        "socket",
        STREAMSER_WEBSOCKET_CLIENTS="2",
        STREAMSER_WEBSOCKET_QUEUE="17",
        STREAMSER_MQTT_PASSWORD="123",
        STREAMSER_MQTT_USER="7",
        STREAMSER_CORPORA="/elsewhere",
        STREAMSER_DEBUG="1",
    )
    assert config.websocket is not None and config.mqtt is not None and config.socket is not None
    assert (config.websocket.port, config.websocket.clients, config.websocket.queue) == (1, 3, 17)
    assert config.listen.input == "mic:7"
    assert (config.mqtt.user, config.mqtt.password) == ("7", "123")


def test_the_usual_place_is_read(tmp_path: Path) -> None:
    (tmp_path / "streamser").mkdir()
    (tmp_path / "streamser" / "config.toml").write_text("[analysis]\ninterval = 1\n")
    for environment in ({"XDG_CONFIG_HOME": str(tmp_path)}, {"HOME": str(tmp_path / "home")}):
        (tmp_path / "home").mkdir(exist_ok=True)
        (tmp_path / "home" / ".config").exists() or (tmp_path / "home" / ".config").symlink_to(
            tmp_path
        )
        assert Layers(environment=environment).load().analysis.interval == 1.0


WRONG = [
    ("[socket]\n\npth = 'x'\n", "line 3: socket.pth is not a known field"),
    ("\n[websocket]\nport = 'x'\n", "line 3: websocket.port has to be a whole number"),
    ("[websocket]\n# host\nhost = '0.0.0.0'\nport=1\n", "line 3: websocket.host 0.0.0.0 is beyond"),
    ("[sockets]\n", "line 1: sockets is not a known field"),
    ("[log]\n[mqtt]\nuser = 'a'\ninterval = 0.01\n[file]\npath='x'", "line 4: mqtt.interval has"),
    ("[log]\nlevel = 'loud'\n", 'line 2: log.level has to be "debug" or "info"'),
    ("[file]\nkeep = 3\n", "line 1: file.path is missing"),
    ("websocket = {port = 3, tokn = 'x'}\n", "line 1: websocket.tokn is not a known field"),
    ("[websocket]\norigins = [\n 'a',\n 3,\n]\nport=2\n", "line 5: websocket.origins[1] has to be"),
    ("[analysis]\naggressiveness = 4\n", "line 2: analysis.aggressiveness has to be 0, 1, 2 or 3"),
    ("socket = 3\n", "line 1: socket has to be an object"),
    ("[mqtt]\nhost = 'broker..local'\n", "line 2: mqtt.host 'broker..local' cannot be a host"),
    ("[metrics]\nhost = '127..0.0.1'\n", "line 2: metrics.host '127..0.0.1' cannot be a host"),
    ("[file]\npath = '~nobody-here/x'\n", "line 2: file.path begins with the home of a user who"),
    ("[metrics]\ntoken_file = '~nobody-here/x'\n", "line 2: metrics.token_file begins with the"),
    ("[mqtt]\npassword = 'x'\n", "line 2: mqtt.password needs user"),
    ("[mqtt]\npassword_file = '/x'\n", "line 2: mqtt.password_file needs user"),
    ("[file]\npath='/x'\n[emotionml]\npath='/y/../x'\n", "line 4: emotionml.path is file.path"),
    ("[socket]\npath = 'a\\u0000b'\n".replace("'", '"'), "line 2: socket.path cannot be a file's"),
    (f"[wyoming]\ntoken = '{TOKEN}é'\n", "line 2: wyoming.token has to be of ASCII characters"),
    ("[mqtt]\nport = 1\nport = 2\n", "not TOML: Cannot overwrite a value (at line 3"),
    ("[mqtt\n", "not TOML: Expected ']'"),
]


@pytest.mark.parametrize(("text", "told"), WRONG)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, text)
    assert str(raised.value).startswith(f"{tmp_path / 'config.toml'}")
    assert told in str(raised.value) and "\n" not in str(raised.value)


def test_every_path_may_begin_with_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "config.toml").write_text(
        "[listen]\ninput = '~/talk.wav'\nmodel = '~/mine'\n"
        "[socket]\npath = '~/s'\n"
        "[websocket]\ntoken_file = '~/t'\ncertificate = '~/c'\nkey = '~/k'\n"
        "[mqtt]\nuser = 'x'\npassword_file = '~/p'\ntls = true\nca = '~/ca'\n"
        "[file]\npath = '~/f'\n[emotionml]\npath = './~/e'\n"
    )
    config = Layers(path=Path("~/config.toml")).load()
    assert config.socket and config.websocket and config.mqtt and config.file and config.emotionml
    web, mqtt = config.websocket, config.mqtt
    found = [config.listen.input, config.listen.model, config.socket.path, config.file.path]
    found += [web.token_file, web.certificate, web.key, mqtt.password_file, mqtt.ca]
    names = ("talk.wav", "mine", "s", "f", "t", "c", "k", "p", "ca")
    assert found == [str(tmp_path / name) for name in names]
    assert config.emotionml.path == "./~/e"


def test_where_no_home_is_the_hint_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "~nobody-here")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for layers in (
        Layers(),
        Layers(environment={}),
        Layers(environment={"XDG_CONFIG_HOME": "~nobody-here/x"}),
        Layers(path=Path("~/config.toml")),
        Layers(path=Path("~nobody-here/config.toml")),
    ):
        with pytest.raises(ConfigError, match=r"^~.*: no such home directory; set HOME, or name"):
            layers.load()


def test_the_line_is_found_in_the_longest_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"line 32002: socket\.pth is not"):
        load(tmp_path, "[socket]\n" + "#\n" * 32_000 + "pth = 1\n")


def test_a_wrong_variable_or_flag_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^\$STREAMSER_MQTT_PORT: mqtt.port has to be from 1"):
        load(tmp_path, "", STREAMSER_MQTT_PORT="0")
    with pytest.raises(ConfigError, match=r"^\$STREAMSER_MQTT_HOSTS: mqtt.hosts is not a known"):
        load(tmp_path, "", STREAMSER_MQTT_HOSTS="x")
    with pytest.raises(ConfigError, match=r"^--set metrics.port: metrics.port has to be a whole"):
        load(tmp_path, "", "metrics.port=high")
    for setting in ("metric", "metrics.port", "log", "nothing.port=1", "=", "socket."):
        with pytest.raises(ConfigError, match=r"has to be SECTION\.KEY=VALUE"):
            load(tmp_path, "", setting)
    with pytest.raises(ConfigError, match=r"^--set file.keep: file.path is missing"):
        load(tmp_path, "[log]\n", "file.keep=3")
    with pytest.raises(ConfigError, match=r"^--set websockt.token: has to be SECTION") as raised:
        load(tmp_path, "", f"websockt.token={TOKEN}")
    assert TOKEN not in str(raised.value)


def test_files_that_do_not_do(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    with pytest.raises(ConfigError, match="No such file"):
        Layers(path=path).load()
    with pytest.raises(ConfigError, match="File name too long"):
        Layers(environment={"XDG_CONFIG_HOME": f"/{'x' * 300}"}).load()
    for content, told in ((b"\xff", "UTF-8"), (b"#" * 70_000, "larger than 64 KiB")):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=told):
            Layers(path=path).load()
    path.write_text("x = " + "[" * 30_000)
    with pytest.raises(ConfigError, match="not TOML"):
        Layers(path=path).load()


def test_beyond_loopback_a_token_is_needed(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.7", "robot.local", "127.0.0.1.example.org"):
        assert not loopback(host)
        for section in ("websocket", "metrics"):
            with pytest.raises(ConfigError, match="beyond loopback: set token"):
                load(tmp_path, f"[{section}]\nhost = '{host}'\n")
            load(tmp_path, f"[{section}]\nhost = '{host}'\ntoken = '{TOKEN}'\n")
    for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost"):
        assert loopback(host)
        load(tmp_path, f"[websocket]\nhost = '{host}'\n")


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="[]=.\"'\n #ab1socketport{},", max_size=80))
def test_any_text_is_a_configuration_or_one_clear_line(text: str) -> None:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    try:
        strict.read(Config, table)
    except ValueError as error:
        assert "\n" not in str(error)
        assert 1 <= line_of(text, str(error).split(" ")[0].split(".")) <= text.count("\n") + 1


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streamser", "config", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        cwd=Path(__file__).parent.parent,
    )


def test_the_command_prints_what_it_reads_again(tmp_path: Path) -> None:
    flags = ["--set", f"websocket.token={TOKEN}", "--set", "socket", "-i", "mic:\u00fc\x7f\"'"]
    done = command(*flags, "--json", XDG_CONFIG_HOME=str(tmp_path))
    assert done.returncode == 0 and TOKEN not in done.stdout
    printed = command(*flags, XDG_CONFIG_HOME=str(tmp_path)).stdout
    assert TOKEN not in printed and "# [mqtt] is off" in printed
    again = tmp_path / "streamser" / "config.toml"
    again.parent.mkdir()
    again.write_text(printed.replace("(not shown)", TOKEN))
    config = Layers(environment={"XDG_CONFIG_HOME": str(tmp_path)}).load()
    assert config.websocket is not None and config.websocket.token == TOKEN
    assert config.listen.input == json.loads(done.stdout)["listen"]["input"] == "mic:\u00fc\x7f\"'"


def test_the_command_fails_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[mqtt]\nhots = 'x'\n")
    done = command("--config", str(tmp_path / "c.toml"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"streamser: {tmp_path}/c.toml, line 2: mqtt.hots is not a known field\n"
    done = command(HOME="~nobody-here", XDG_CONFIG_HOME="")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "no such home directory" in done.stderr


def test_the_example_in_the_readme_does(tmp_path: Path) -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    example = readme.partition("```toml\n")[2].partition("```")[0]
    config = load(tmp_path, example)
    assert all((config.socket, config.websocket, config.metrics, config.mqtt, config.file))
    for kept in ("127.0.0.1:8767", "127.0.0.1:9767", "queue of\n  256 events", "10 MB, five"):
        assert kept in readme
    assert (Config().socket, config.websocket and config.websocket.port) == (None, 8767)
    assert config.metrics and config.metrics.port == 9767
    assert config.file and (config.file.max_mb, config.file.keep) == (10.0, 5)
    assert config.socket and config.socket.queue == 256

"""Which sound card is meant: by part of its name, or the one that can only be meant."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamser.audio.cardstream import CardStream
from streamser.audio.soundcards import SoundCard, chosen, sound_cards
from streamser.audio.source import SourceError

PI_CARDS = """\
 0 [Headphones     ]: bcm2835_headpho - bcm2835 Headphones
                      bcm2835 Headphones
 1 [vc4hdmi0       ]: vc4-hdmi - vc4-hdmi-0
                      vc4-hdmi-0
 2 [Device         ]: USB-Audio - USB PnP Sound Device
                      C-Media Electronics Inc. USB PnP Sound Device at usb-0000:01:00.0-1.2
 3 [seeed4micvoicec]: seeed4micvoicec - seeed-4mic-voicecard
                      seeed-4mic-voicecard
"""

PI_DEVICES = """\
00-00: bcm2835 Headphones : bcm2835 Headphones : playback 8
01-00: MAI PCM i2s-hifi-0 : MAI PCM i2s-hifi-0 : playback 1
02-00: USB Audio : USB Audio : playback 1 : capture 1
03-00: fe203000.i2s-ac10x-codec0 ac10x-codec.1-003b-0 :  : capture 1
"""

USB = SoundCard(2, 0, "USB PnP Sound Device: Audio (hw:2,0)", "/nowhere/pcmC2D0c")
ARRAY = SoundCard(3, 0, "seeed-4mic-voicecard: - (hw:3,0)", "/nowhere/pcmC3D0c")


def found(folder: Path, cards: str = PI_CARDS, devices: str = PI_DEVICES) -> list[SoundCard]:
    (folder / "cards").write_text(cards)
    (folder / "pcm").write_text(devices)
    for node in ("pcmC0D0p", "pcmC1D0p", "pcmC2D0c", "pcmC2D0p", "pcmC3D0c"):
        (folder / node).touch()
    cards_there = sound_cards(folder, folder)
    return [replace(card, path=f"/nowhere/{Path(card.path).name}") for card in cards_there]


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("ALSA_CONFIG_PATH", "ALSA_CARD", "ALSA_PCM_CARD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_what_records_is_found_under_the_name_that_portaudio_has_for_it(tmp_path: Path) -> None:
    assert found(tmp_path) == [USB, ARRAY]


def test_no_sound_in_the_kernel_is_no_card_and_one_without_a_node_is_none_here(
    tmp_path: Path,
) -> None:
    assert sound_cards(tmp_path / "asound", tmp_path) == []
    assert found(tmp_path)
    (tmp_path / "pcmC2D0c").unlink()
    assert [card.card for card in sound_cards(tmp_path, tmp_path)] == [3]


@given(st.text(), st.text())
@example("2", "")
def test_whatever_the_kernel_tells_is_survived(
    tmp_path_factory: pytest.TempPathFactory, cards: str, devices: str
) -> None:
    folder = tmp_path_factory.mktemp("proc")
    assert found(folder, PI_CARDS + cards, PI_DEVICES + devices)[:2] == [USB, ARRAY]


@pytest.mark.parametrize(
    ("wanted", "card"),
    [("usb", USB), ("PnP Sound", USB), ("hw:3", ARRAY), ("hw:2,0", USB), (USB.name, USB)],
)
def test_a_card_is_chosen_by_part_of_its_name(wanted: str, card: SoundCard) -> None:
    assert chosen([USB, ARRAY], wanted) == card


@pytest.mark.parametrize("wanted", ["attic", "hw:", "2", "0"])
def test_where_none_or_more_than_one_fits_or_a_number_is_wanted_portaudio_is_asked(
    wanted: str,
) -> None:
    assert chosen([USB, ARRAY], wanted) is None


def test_the_default_is_the_first_where_alsas_own_cannot_record() -> None:
    assert chosen([USB, ARRAY], None) == USB
    assert chosen([], None) is None


def test_what_alsa_may_share_or_is_configured_for_is_left_to_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = SoundCard(0, 0, "HDA Intel PCH: ALC257 Analog (hw:0,0)", "/nowhere/pcmC0D0c")
    assert chosen([first, USB], None) is None
    (tmp_path / ".asoundrc").touch()
    assert chosen([USB], None) is None
    (tmp_path / ".asoundrc").unlink()
    monkeypatch.setenv("ALSA_CARD", "Device")
    assert chosen([USB], None) is None


def test_a_card_that_is_gone_is_told_in_a_line() -> None:
    with pytest.raises(SourceError, match=r"USB PnP.*cannot be opened: no such file"):
        CardStream(USB, max_lag=2.0)

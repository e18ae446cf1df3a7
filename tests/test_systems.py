"""The published systems: as published, without leaks where honest, from recipe to table."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

keras = pytest.importorskip("keras")
pytest.importorskip("librosa")

from test_splits import CLIPS

from streamser.audio.recording import read_recording
from streamser.clip import demo_clip
from train import corpora, networks
from train.cli import main
from train.corpora.clip import Clip
from train.corpora.reader import Reader
from train.multiply_adds import multiply_adds
from train.recipe import RECIPES, RecipeError
from train.systems import fit as fit_module
from train.systems.fit import Data, Fit, chosen_epoch, ended, fit_network, load_kept, rate_at
from train.systems.protocols import honest, honest_folds, label_of, own
from train.systems.recipe import SystemRecipe, find_recipe
from train.systems.run import lay_out, run_name
from train.systems.sound import read
from train.systems.store import Store
from train.whole_file import whole_file, write_text

SYSTEMS = {
    path.stem: recipe
    for path in RECIPES.glob("*.toml")
    if isinstance(recipe := find_recipe(path.stem), SystemRecipe)
}
SHAPES = {
    "speech-emotion-analyzer": ((216, 1), 10),
    "ser-2d-cnn": ((106, 160, 1), 8),
    "ravdess-cnn": ((180, 1), 8),
    "deep-emotion-1d": ((50, 1), 7),
    "light-sernet": ((184, 40, 1), 7),
}


def clips_of(recipe: SystemRecipe, corpus: str | None = None) -> list[Clip]:
    names = [corpus] if corpus else recipe.corpora
    return [c for c in CLIPS if c.corpus in names and label_of(c, recipe.labels)]


def groups_of_clips(recipe: SystemRecipe) -> list[list[Clip]]:
    return [clips_of(recipe, c) for c in recipe.corpora] if recipe.alone else [clips_of(recipe)]


def test_all_published_systems_are_there() -> None:
    assert set(SYSTEMS) == {*SHAPES, "deepemo-shallow", "deepemo-transfer"}


@pytest.mark.parametrize("name", SHAPES)
def test_networks_have_the_published_number_of_parameters(name: str) -> None:
    recipe = SYSTEMS[name]
    shape, classes = SHAPES[name]
    counted = networks.build(recipe.network, shape, classes).count_params()
    rounded = {"deep-emotion-1d": 53_479, "light-sernet": 463_431}  # 54 k and 0.46 M published
    assert counted == (recipe.published.parameters or rounded[name])


@pytest.mark.parametrize("name", SYSTEMS)
def test_fronts_make_what_the_networks_take(name: str, tmp_path: Path) -> None:
    images = {"deepemo-shallow": (1553, 257, 1), "deepemo-transfer": (1553, 100, 1)}
    shape = images.get(name) or SHAPES[name][0]
    short = tmp_path / "short.wav"
    soundfile.write(short, np.zeros(9_000), 16_000)
    for path in (demo_clip(), short):
        features = Store(tmp_path, SYSTEMS[name]).features(path)
        assert features.shape == shape and np.isfinite(features).all()


@pytest.mark.parametrize("name", SYSTEMS)
def test_no_speaker_is_on_two_sides_of_an_honest_split(name: str) -> None:
    recipe = SYSTEMS[name]
    for clips in groups_of_clips(recipe):
        tested: set[str] = set()
        for fold in range(1, honest_folds(recipe, clips) + 1):
            sides = honest(recipe, clips, fold=fold)
            train, dev, test = (
                {row.clip.speaker_key for row in rows}
                for rows in (sides.train, sides.watch, sides.test)
            )
            assert train and test and not (train & dev or train & test or dev & test)
            assert not any(row.copy for row in (*sides.watch, *sides.test))
            assert sides.choose == ("ua" if dev else "last")
            tested |= test
        assert tested == {clip.speaker_key for clip in clips}


def test_no_honest_fold_is_laid_out_twice() -> None:
    recipe = SYSTEMS["ser-2d-cnn"]
    for corpora_, folds in (({"savee"}, 4), ({"tess"}, 2), ({"savee", "ravdess"}, 6)):
        clips = [clip for clip in clips_of(recipe) if clip.corpus in corpora_]
        assert honest_folds(recipe, clips) == folds
        hashes = {honest(recipe, clips, fold=fold).hash for fold in range(1, folds + 1)}
        assert len(hashes) == folds


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_own_protocol_draws_clips_and_so_shares_speakers(name: str) -> None:
    recipe = SYSTEMS[name]
    for clips in groups_of_clips(recipe):
        sides = own(recipe, clips, name="own", seed=3)
        rows = [row.key for row in (*sides.train, *sides.test)]
        assert len(rows) == len(set(rows)) and sides.watch == sides.test
        shared = {r.clip.key for r in sides.train} & {r.clip.key for r in sides.test}
        assert bool(shared) == recipe.own.copies_before_split
        assert {r.clip.speaker for r in sides.train} & {r.clip.speaker for r in sides.test}
        assert own(recipe, clips[::-1], name="own", seed=3).hash == sides.hash
        if len(clips) > 20:
            assert own(recipe, clips, name="own", seed=4).hash != sides.hash


def test_calm_and_gender_are_classes_where_a_recipe_says_so() -> None:
    labels = SYSTEMS["speech-emotion-analyzer"].labels
    found = {label_of(c, labels) for c in CLIPS if c.corpus == "ravdess"} - {None}
    emotions = ("angry", "calm", "fearful", "happy", "sad")
    assert found == {f"{gender}_{e}" for gender in ("female", "male") for e in emotions}
    plain = dataclasses.replace(labels, calm=False, gender=False)
    assert "calm" not in {label_of(c, plain) for c in CLIPS}


def test_schedules_depend_on_the_history_alone() -> None:
    history = [{"watch_loss": loss} for loss in (1.0, 0.9, 0.95, 0.92, 0.91)]
    plateau = Fit(learning_rate=1.0, plateau_factor=0.5, plateau_patience=2, stop_patience=3)
    assert rate_at(plateau, history[:3], batches=9) == 1.0
    assert rate_at(plateau, history[:4], batches=9) == 0.5
    assert not ended(plateau, []) and not ended(plateau, history[:4]) and ended(plateau, history)
    assert chosen_epoch(history, "loss") == 2 and chosen_epoch(history, "last") == 5
    assert chosen_epoch(history, "ua") == 5  # nothing was watched for it
    steps = Fit(learning_rate=1.0, step_from=2, step_every=2, step_factor=0.5, decay=0.1)
    assert [rate_at(steps, history[:n], batches=0) for n in range(5)] == [1, 1, 0.5, 0.5, 0.25]
    assert rate_at(steps, history[:1], batches=10) == 0.5


def train_small(folder: Path, epochs: int) -> list[np.ndarray]:
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    data = Data(rng.standard_normal((70, 50, 1), dtype=np.float32), rng.integers(0, 3, 70))
    model = networks.build(SYSTEMS["deep-emotion-1d"].network, (50, 1), 3)
    fit = Fit(optimiser="rmsprop", batch=16, epochs=epochs, stop_patience=5)
    history = fit_network(model, fit, data, data, choose="loss", folder=folder, seed=5)
    assert [line["epoch"] for line in history] == list(range(1, epochs + 1))
    assert history[-1]["watch_loss"] < history[0]["watch_loss"]
    return model.get_weights()


def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    train_small(tmp_path / "a", 3)
    for one, other in zip(
        train_small(tmp_path / "a", 5), train_small(tmp_path / "b", 5), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_killed_continuation_is_judged_by_the_weights_of_its_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train_small(tmp_path, 3)
    monkeypatch.setattr(fit_module, "SAVE_AFTER", 0.0)
    monkeypatch.setattr(fit_module.Judge, "logits", killed_after(2))
    with pytest.raises(KeyboardInterrupt):
        train_small(tmp_path, 9)
    monkeypatch.undo()
    history, weights = load_kept(tmp_path)
    assert [line["epoch"] for line in history] == [1, 2, 3, 4, 5]
    assert not all(map(np.array_equal, weights, first))
    for one, other in zip(weights, train_small(tmp_path / "b", 5), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def killed_after(epochs: int) -> Callable[..., np.ndarray]:
    """Judge's `logits`, until so many epochs are judged."""
    judged, logits = itertools.count(), fit_module.Judge.logits

    def until_then(self: fit_module.Judge, features: np.ndarray) -> np.ndarray:
        if next(judged) == epochs:
            raise KeyboardInterrupt
        return logits(self, features)

    return until_then


def test_what_is_written_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    write_text(path, "[1]")
    with pytest.raises(OSError, match="full"), whole_file(path) as file:
        file.write(b"[1, ")
        raise OSError("the disk is full")
    assert path.read_text() == "[1]"


def test_multiply_adds_are_counted() -> None:
    model = networks.build(SYSTEMS["deep-emotion-1d"].network, (50, 1), 7)
    convolutions = 50 * 5 * 8 + 50 * 5 * 8 * 16 + 25 * 5 * 16 * 32
    assert multiply_adds(model) == convolutions + 12 * 32 * 128 + 128 * 7


def test_formats_are_read_alike(tmp_path: Path) -> None:
    samples = np.concatenate(list(read_recording(demo_clip())))[:48_000]
    found = {}
    for suffix, kind in (("wav", {}), ("flac", {}), ("mp3", {}), ("opus", {"format": "OGG"})):
        path = tmp_path / f"clip.{suffix}"
        subtype = {"subtype": "OPUS"} if suffix == "opus" else {}
        soundfile.write(path, samples, 16_000, **kind, **subtype)
        found[suffix] = read(path, rate=16_000)
    np.testing.assert_array_equal(found["wav"], found["flac"])
    for lossy in ("mp3", "opus"):
        assert abs(found[lossy].size - 48_000) < 2_500
        assert np.std(found[lossy]) == pytest.approx(np.std(found["wav"]), rel=0.1)


@pytest.fixture
def invented_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A corpus that one reader adds: three speakers, two emotions that differ in pitch."""

    def parse(path: Path) -> Clip | None:
        speaker, emotion, take = path.stem.split("_")
        return Clip(
            path=path, corpus="mine", name=path.stem, speaker=speaker, emotion=emotion,
            emotion_raw=emotion, repetition=take,
        )  # fmt: skip

    reader = Reader(name="mine", parse=parse, clips=24, download="nowhere", licence="none")
    monkeypatch.setitem(corpora.CORPORA, "mine", reader)
    rng = np.random.default_rng(0)
    folder = tmp_path / "corpora" / "mine"
    folder.mkdir(parents=True)
    t = np.arange(16_000) / 16_000
    for speaker in ("ann", "bob", "cid"):
        for emotion, pitch in (("happy", 440.0), ("sad", 110.0)):
            for take in range(4):
                wave = np.sin(2 * np.pi * pitch * rng.uniform(0.9, 1.1) * t)
                noisy = 0.3 * wave + 0.01 * rng.standard_normal(t.size)
                soundfile.write(folder / f"{speaker}_{emotion}_{take}.wav", noisy, 16_000)
    return folder.parent


RECIPE = """
name = "mine-1d"
description = "A recipe that a user wrote."
corpora = ["mine"]
alone = true
[published]
claim = "none"
[features]
name = "mfcc_mean"
rate = 16000
n_mfcc = 24
n_fft = 512
hop = 256
[[copies]]
name = "noise"
amplitude = 0.02
[network]
name = "deep_emotion_1d"
dropout = 0.1
[fit]
batch = 8
epochs = 12
[own]
test_share = 0.25
"""


def test_a_new_recipe_over_a_new_corpus_goes_from_fit_to_the_table(
    invented_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "mine-1d.toml"
    recipe.write_text(RECIPE)
    runs = tmp_path / "runs"
    where = ["--root", str(invented_corpus), "--runs", str(runs)]
    assert main(["prepare", str(recipe), *where]) == 0
    assert main(["fit", str(recipe), *where]) == 0
    assert main(["fit", str(recipe), "--protocol", "honest", *where]) == 0
    folders = sorted(path.name for path in (runs / "mine-1d").iterdir())
    assert folders == ["mine-own-s0", *(f"mine-strict-{fold}-s0" for fold in (1, 2, 3))]
    folder = runs / "mine-1d" / "mine-strict-2-s0"
    result = json.loads((folder / "result.json").read_text())
    assert result["speaker_independent"] and result["epochs"] == 12
    assert result["rows"] == {"train": 16, "dev": 8, "test": 8}
    assert np.sum(result["confusion"]) == 8 and set(result["report"]) == {"happy", "sad"}
    assert len(result["split_sha256"]) == 64 and result["seconds"] > 0
    assert len(json.loads((folder / "history.json").read_text())) == 12
    for picture in ("curves.png", "confusion.png"):
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")
    assert main(["evaluate", str(recipe), *where]) == 0
    assert main(["export", str(recipe), *where]) == 0
    cost = json.loads((runs / "mine-1d" / "mine-own-s0" / "cost.json").read_text())
    assert cost["int8_bytes"] < 100_000 and cost["multiply_adds_per_clip"] > 10_000

    capsys.readouterr()
    clip = next((invented_corpus / "mine").glob("*sad*"))
    assert main(["predict", str(clip), "--recipe", str(recipe), "--json", *where]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["scores"]) == {"happy", "sad"}
    assert sum(told["scores"].values()) == pytest.approx(1.0, abs=1e-5)

    assert main(["report", "--runs", str(runs), "--to", str(tmp_path / "table")]) == 0
    page = (tmp_path / "table" / "RESULTS.md").read_text()
    assert "| mine-1d (mine) |" in page and "streamser-research" in page
    assert (tmp_path / "table" / "results" / "protocols.png").stat().st_size > 1000


@pytest.mark.parametrize("place", ["runs/mine/own-s0/result.json", "table/results/mine.json"])
@pytest.mark.parametrize("told", ["{", "{}", "[{}]", "\xff"])
def test_a_damaged_result_is_named(
    place: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.write_text(told, encoding="latin-1")
    where = ["--runs", str(tmp_path / "runs"), "--to", str(tmp_path / "table")]
    assert main(["report", *where]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{path} is damaged: " in line


def test_a_result_says_whether_the_network_began_with_given_weights(
    invented_corpus: Path, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(SYSTEMS["deepemo-transfer"], corpora=("mine",))
    for weights, told in (("none", "from scratch"), ("in.h5", "begun with given weights")):
        network = recipe.network | {"weights": weights}
        begun = dataclasses.replace(recipe, network=network)
        (run,) = lay_out(begun, protocol="own", root=invented_corpus, runs=tmp_path)
        assert run.describe()["described"].endswith(f", {told}")


def test_a_run_goes_on_with_the_clips_and_settings_that_it_was_begun_with(
    invented_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, runs = tmp_path / "mine-1d.toml", tmp_path / "runs"
    recipe.write_text(RECIPE)
    where = ["--root", str(invented_corpus), "--runs", str(runs)]

    def told(command: str, epochs: int) -> str:
        done = main([command, str(recipe), "--epochs", str(epochs), *where])
        lines = capsys.readouterr().err.splitlines()
        assert done == bool(lines) and len(lines) <= 1
        return lines[0] if lines else ""

    assert not told("fit", 1) and not told("fit", 2)
    recipe.write_text(RECIPE.replace("batch = 8", "batch = 4"))
    assert "mine-own-s0: begun with other settings; remove it" in told("fit", 3)
    recipe.write_text(RECIPE)
    next((invented_corpus / "mine").glob("ann_*")).unlink()
    for command in ("fit", "evaluate", "export"):
        assert "mine-own-s0: begun with other clips; remove it" in told(command, 3)
    (runs / "mine-1d" / "mine-own-s0" / "begun.json").unlink()  # as earlier versions left it
    assert not told("fit", 3)
    history = json.loads((runs / "mine-1d" / "mine-own-s0" / "history.json").read_text())
    assert len(history) == 3


def test_the_corpora_are_drawn(invented_corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "eda"
    assert main(["eda", "--root", str(invented_corpus), "--to", str(folder)]) == 0
    page = (folder / "index.html").read_text()
    assert "16000 Hz" in page and "mine-clips.png" in page
    for picture in ("mine-clips.png", "mine-counts.png"):
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_done_is_one_line(
    invented_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "mine.toml"
    where = ["--root", str(invented_corpus), "--runs", str(tmp_path / "runs")]
    for wrong, right, reason in (
        ('"mfcc_mean"', '"nothing"', "no front nothing"),
        ('"deep_emotion_1d"', '"nothing"', "no network nothing"),
        ("n_mfcc", "n_mfc", "n_mfc"),
        ("test_share", "share", "own.share is not a known field"),
        ("batch = 8", 'optimiser = "magic"', "no optimiser magic"),
        ('["mine"]', '["other"]', "none of other"),
    ):
        recipe.write_text(RECIPE.replace(wrong, right))
        assert main(["fit", str(recipe), *where]) == 1
        assert reason in capsys.readouterr().err
    recipe.write_text(RECIPE)
    assert main(["fit", "streamser-open", "--protocol", "own", *where]) == 1
    assert "no protocol own: there are pooled, emobox" in capsys.readouterr().err
    assert main(["fit", str(recipe), "--protocol", "honest", "--fold", "9", *where]) == 1
    assert "folds 1 to 3" in capsys.readouterr().err
    assert main(["predict", str(tmp_path / "no.wav"), "--recipe", str(recipe), *where]) == 1
    assert main(["predict", str(recipe), "--recipe", str(recipe), *where]) == 1
    assert "no trained network" in capsys.readouterr().err


def test_a_run_without_clips_is_refused_before_any_is_trained(
    invented_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "mine-1d.toml"
    recipe.write_text(RECIPE)
    two_of_four = tmp_path / "corpora" / "savee"
    for speaker, emotion in itertools.product(("DC", "JE"), "ahn"):
        (two_of_four / speaker).mkdir(parents=True, exist_ok=True)
        (two_of_four / speaker / f"{emotion}01.wav").touch()
    where = ["--root", str(invented_corpus), "--runs", str(tmp_path / "runs")]
    honest_savee = ["deep-emotion-1d", "--corpus", "savee", "--protocol", "honest"]
    for command, reason in (
        (["fit", str(recipe), "--gender", "female"], "mine: no female voice for mine-1d in"),
        (["prepare", str(recipe), "--gender", "male"], "mine: no male voice for mine-1d in"),
        (["fit", *honest_savee], "deep-emotion-1d/savee-strict-2: no clip to test on"),
    ):
        assert main([*command, *where]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert reason in line
    assert not (tmp_path / "runs").exists()


def test_a_run_predicts_its_own_labels_whatever_corpora_are_there(
    invented_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, runs = tmp_path / "mine-1d.toml", ["--runs", str(tmp_path / "runs")]
    recipe.write_text(RECIPE)
    assert main(["fit", str(recipe), "--epochs", "1", "--root", str(invented_corpus), *runs]) == 0
    clip = next((invented_corpus / "mine").glob("*sad*"))
    command = ["predict", str(clip), "--recipe", str(recipe), "--json", *runs]
    (invented_corpus / "mine" / "ann_angry_1.wav").write_bytes(clip.read_bytes())
    capsys.readouterr()
    for root in (invented_corpus, tmp_path / "nothing"):
        assert main([*command, "--root", str(root)]) == 0
        assert set(json.loads(capsys.readouterr().out)["scores"]) == {"happy", "sad"}
    for name, samples, reason in (
        ("nan", np.full(16_000, np.nan), "is damaged"),
        ("short", np.zeros(100), "holds too little audio: 0.01 s"),
        ("empty", np.zeros(0), "holds too little audio: 0.00 s"),
    ):
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, samples, 16_000, subtype="FLOAT")
        assert main(["predict", str(path), "--recipe", str(recipe), *runs]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert f"{path} {reason}" in line
    assert main([*command, "--seed", "3"]) == 1
    assert "no trained network in" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong", [("--epochs", "0"), ("--epochs", "-2"), ("--fold", "1", "0"), ("--seed", "-1")]
)
def test_epochs_and_folds_are_counted_from_one_and_seeds_from_none(
    wrong: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["fit", "deep-emotion-1d", "--root", str(tmp_path), *wrong])
    least = 0 if wrong[0] == "--seed" else 1
    assert f"{wrong[0]}: has to be {least} or more" in capsys.readouterr().err


def test_transfer_freezes_the_weights_it_is_given_or_says_that_it_needs_some(
    tmp_path: Path,
) -> None:
    settings, shape = SYSTEMS["deepemo-transfer"].network, (160, 100, 1)
    for missing in ({}, {"weights": str(tmp_path / "no.h5")}):
        with pytest.raises(RecipeError, match="--weights none"):
            networks.build(settings | missing, shape, 7)
    scratch = networks.build(settings | {"weights": "none"}, shape, 7)
    base = next(layer for layer in scratch.layers if isinstance(layer, keras.Model))
    given = tmp_path / "imagenet.weights.h5"
    base.save_weights(given)
    frozen = networks.build(settings | {"weights": str(given)}, shape, 7)
    recipe = SYSTEMS["deepemo-transfer"]
    names = {
        weights: run_name(
            dataclasses.replace(recipe, network=settings | {"weights": weights}), "", protocol="own"
        )
        for weights in ("", "none", str(given))
    }
    assert list(names.values()) == ["own", "own", "pretrained-own"]
    assert frozen.count_params() == scratch.count_params() > 21_000_000
    # The stem (3 x 3 to 3 channels) and the last layer (2048 to 7) learn.
    learning = sum(int(np.prod(weight.shape)) for weight in frozen.trainable_weights)
    assert learning == 3 * 3 * 3 + 3 + 2048 * 7 + 7

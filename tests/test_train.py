"""Training, figures and export on a small corpus that the test synthesises."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

tf = pytest.importorskip("tensorflow")
metrics = pytest.importorskip("sklearn.metrics")

from corpora import ROOT, needs_corpora

from streamser.analysis.encoder import Encoder
from streamser.analysis.evidence import fading
from streamser.analysis.head import Head
from streamser.analysis.normaliser import Normaliser
from streamser.analysis.pooling import RunningPool
from streamser.analysis.settings import Settings
from streamser.analysis.whole import WholeAnalyzer
from streamser.audio.recording import read_recording
from streamser.clip import demo_clip
from streamser.model.bundle import load
from streamser.model.manifest import BundleError
from train import bottleneck, teacher
from train.batches import Batch, Front, TrainingBatches
from train.bottleneck import Bottleneck, through
from train.cli import main
from train.corpora import EMOTIONS, CorpusError, ravdess
from train.draws import Draws
from train.evaluation import agreement, trust
from train.examples import Examples, renditions
from train.experiment import Experiment, prepare
from train.export import export_run
from train.features import Extractor, to_mfcc
from train.fit import fit, history, normaliser_statistics
from train.judge import answers
from train.model_card import write_card
from train.network import Network
from train.recipe import RECIPES, FitSettings, NetworkSettings, Recipe, RecipeError, load_recipe
from train.results import gather
from train.scores import unweighted_recall
from train.systems.recipe import find_recipe
from train.trainer import Trainer

RAW = ("01", "03", "04", "05", "06", "07", "08")
ACTORS = (1, 11, 20, 21, 4, 10, 2, 15, 8)


def clip_of(actor: int, emotion: str, speech: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return a stretch of the synthesised speech whose pitch tells the emotion."""
    import soxr

    rng = np.random.default_rng([actor, int(emotion)])
    start = int(rng.integers(0, speech.size - 32_000))
    speed = 0.7 + 0.08 * int(emotion)
    return np.asarray(soxr.resample(speech[start : start + 32_000], 16_000 * speed, 16_000))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corpora")
    speech = np.concatenate(list(read_recording(demo_clip())))[: 16 * 16_000]
    for actor in ACTORS:
        folder = root / "ravdess" / f"Actor_{actor:02}"
        folder.mkdir(parents=True)
        for emotion in RAW:
            name = f"03-01-{emotion}-01-01-01-{actor:02}.wav"
            soundfile.write(folder / name, clip_of(actor, emotion, speech), 16_000)
    return root


@pytest.fixture(scope="module")
def experiment(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    recipe = dataclasses.replace(
        load_recipe("streamser-research"),
        network=NetworkSettings(stem=16, body=16, hidden=16, body_dilations=(1, 2)),
        fit=FitSettings(passes=2, warmup=0.5, draws=96, batch=16, synthetic_sounds=22),
    )
    return prepare(recipe, root=corpus, runs=tmp_path_factory.mktemp("runs"))


def test_from_corpus_to_card(experiment: Experiment, tmp_path: Path) -> None:
    """Fit, go on after an interruption, export, evaluate: what the README says."""
    halved = dataclasses.replace(experiment.recipe.fit, passes=1)
    shorter = dataclasses.replace(experiment.recipe, fit=halved)
    run = {"cache": experiment.cache, "folder": experiment.folder, "seed": 0, "votes": {}}
    fit(shorter, experiment.split, **run)
    fit(experiment.recipe, experiment.split, **run)
    assert history(experiment.folder, "pass") == [1, 2]
    other = dataclasses.replace(experiment.split, train=experiment.split.train[1:])
    with pytest.raises(RecipeError, match="begun with other clips; remove it to begin anew"):
        fit(experiment.recipe, other, **run)
    rate = dataclasses.replace(experiment.recipe.fit, learning_rate=1e-9)
    with pytest.raises(RecipeError, match="begun with other settings"):
        fit(dataclasses.replace(experiment.recipe, fit=rate), experiment.split, **run)

    experiment.write("fit.json", {"parameters": 1})

    folder = tmp_path / "models" / experiment.recipe.name
    manifest = export_run(experiment, folder=folder, version="0.0.1", licence="none", voices=8)
    assert manifest.provenance["split_sha256"] == experiment.split.hash
    bundle = load(folder)
    figures = agreement(bundle, experiment) | trust(bundle, experiment)
    assert set(figures["corpora"]) == {"ravdess", "mean"}
    assert np.sum(figures["confusion"]) == 28
    assert list(figures["ua_over_seconds"]) == ["0.5", "1", "1.5", "2", "3", "all"]
    dataclasses.replace(experiment, recipe=shorter).write("fit.json", {"parameters": 1})
    planned = {"passes_planned": experiment.recipe.fit.passes}
    dataclasses.replace(experiment, recipe=shorter).write("evaluate.json", figures | planned)
    (told,) = gather(experiment.runs)[experiment.recipe.name]
    assert (told["epochs"], told["epochs_planned"]) == (1, 2)
    card = write_card(bundle, experiment, figures).read_text()
    assert f"{figures['corpora']['mean']['ua']:.1f}" in card
    assert "{" not in card.split("---", 2)[2]
    assert (folder / "confusion.svg").stat().st_size > 1000


def test_an_interrupted_fit_ends_where_an_uninterrupted_one_does(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = {"cache": experiment.cache, "seed": 0, "votes": {}}
    fit(experiment.recipe, experiment.split, folder=tmp_path / "at-once", **run)
    one_pass, passes = Trainer.one_pass, itertools.count()

    def once(trainer: Trainer, batches: Iterator[Batch]) -> float:
        if next(passes):
            raise KeyboardInterrupt
        return one_pass(trainer, batches)

    monkeypatch.setattr(Trainer, "one_pass", once)
    with pytest.raises(KeyboardInterrupt):
        fit(experiment.recipe, experiment.split, folder=tmp_path / "halved", **run)
    monkeypatch.undo()
    fit(experiment.recipe, experiment.split, folder=tmp_path / "halved", **run)
    at_once, halved = (history(tmp_path / name, "loss") for name in ("at-once", "halved"))
    assert halved == pytest.approx(at_once, rel=1e-5)


def test_a_checkpoint_without_the_state_of_dropout_goes_on(
    experiment: Experiment, tmp_path: Path
) -> None:
    """As earlier versions wrote it."""
    settings = {"scale": [1.0] * experiment.recipe.mfcc.n_mfcc, "hints": 0, "steps_per_pass": 6}
    trainer = Trainer(experiment.recipe, **settings)
    trainer.model.set_weights([weight + 1.0 for weight in trainer.model.get_weights()])
    state = {
        "model": trainer.model.weights,
        "averaged": trainer.averaged.weights,
        "optimizer": trainer.model.optimizer.variables,
    }
    tracked = {f"{name}_{i}": v.value for name, of in state.items() for i, v in enumerate(of)}
    older = tf.train.Checkpoint(passes=tf.Variable(7, dtype=tf.int64), **tracked)
    tf.train.CheckpointManager(older, str(tmp_path), max_to_keep=2).save(checkpoint_number=7)
    later = Trainer(experiment.recipe, **settings)
    assert later.restore(tmp_path) == 7
    for one, other in zip(later.model.get_weights(), trainer.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    later.save(8)
    assert Trainer(experiment.recipe, **settings).restore(tmp_path) == 8


def test_what_fails_beside_the_training_ends_it(experiment: Experiment) -> None:
    """Crops of eight hops at most are none that could be drawn from eight on."""
    short = dataclasses.replace(experiment.recipe.fit, max_hops=8, short_crops=1.0)
    recipe = dataclasses.replace(experiment.recipe, fit=short)
    train = Examples(experiment.split.train, recipe, cache=experiment.cache)
    front = Front(recipe, normaliser_statistics(train, recipe))
    with pytest.raises(ValueError, match="low >= high"):
        next(TrainingBatches(train, recipe, front, seed=0).one_pass(0))


def first_batch(experiment: Experiment, seed: int) -> Batch:
    recipe = experiment.recipe
    train = Examples(experiment.split.train, recipe, cache=experiment.cache)
    front = Front(recipe, normaliser_statistics(train, recipe))
    return next(TrainingBatches(train, recipe, front, seed=seed).one_pass(0))


def test_a_clip_at_once_is_normalised_as_hop_by_hop(experiment: Experiment) -> None:
    recipe = experiment.recipe
    train = Examples(experiment.split.train, recipe, cache=experiment.cache)
    statistics = normaliser_statistics(train, recipe)
    log_mel = train.features[0][0].log_mel
    live = Normaliser(statistics, recipe.mfcc, keep=fading(recipe.fit.half_life))
    hops = np.array([live.push(hop) for hop in to_mfcc(recipe.mfcc, log_mel)])
    np.testing.assert_allclose(Front(recipe, statistics)(log_mel), hops, rtol=1e-6, atol=1e-6)


def test_draws_depend_on_seed_and_pass_alone(experiment: Experiment) -> None:
    first, again, other = (first_batch(experiment, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.features, again.features)
    assert first.features.shape != other.features.shape or not np.array_equal(
        first.features, other.features
    )


def test_a_clip_gets_no_label_of_its_own_from_the_teacher(experiment: Experiment) -> None:
    """Encodings that tell nothing: whoever knew the labels would find them again."""
    clips = [clip for side in experiment.split.sides.values() for clip in side]
    train = Examples(clips, experiment.recipe, cache=experiment.cache)
    own = train.targets.argmax(axis=1)
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((len(own), 2304), np.float32)
    telling = noise + rng.standard_normal((len(experiment.recipe.labels), 2304), np.float32)[own]
    voices = np.array([clip.emotion in EMOTIONS for clip in train.clips])
    found = {}
    for name, encodings in {"noise": noise, "telling": telling}.items():
        heard = teacher.soft_labels(encodings, train, experiment.recipe, seed=0)
        np.testing.assert_allclose(heard.sum(axis=1), 1.0, rtol=1e-5)
        np.testing.assert_array_equal(heard[~voices], train.targets[~voices])
        found[name] = np.mean(heard.argmax(axis=1)[voices] == own[voices])
    assert found["noise"] < 0.4 < found["telling"]


def test_a_refit_without_a_voice_to_judge_by_is_refused(corpus: Path, tmp_path: Path) -> None:
    recipe = load_recipe("streamser-research")
    with pytest.raises(RecipeError, match="three dev speakers"):
        prepare(recipe, again=True, root=corpus, runs=tmp_path)


def test_voices_without_one_to_fit_the_verdict_on_are_refused(tmp_path: Path) -> None:
    for speaker in ("DC", "JE"):
        (tmp_path / "savee" / speaker).mkdir(parents=True)
        (tmp_path / "savee" / speaker / "a01.wav").touch()
    with pytest.raises(CorpusError, match="pooled/1: no voice to fit the verdict on in"):
        prepare(load_recipe("streamser-research"), root=tmp_path, runs=tmp_path / "runs")


def test_a_bundle_takes_the_place_of_nothing_but_a_bundle(
    experiment: Experiment, tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("three years")
    with pytest.raises(BundleError, match="holds something else than a bundle"):
        export_run(experiment, folder=tmp_path, version="1", licence="none")
    assert (tmp_path / "thesis.txt").read_text() == "three years"


def test_a_bundle_is_not_judged_by_clips_that_may_have_trained_it(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(load("streamser-open").path)
    where = ("--root", str(corpus), "--runs", str(tmp_path))
    assert main(["evaluate", "streamser-quick", "--model", model, *where]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "learnt from other clips (pooled/1), maybe from those that pooled/1 tests" in line


@pytest.mark.parametrize(
    ("protocol", "reason"),
    [
        ("shemo", "no shemo in .*: download it from"),
        ("esc10", "no protocol esc10: there are pooled, emobox, sentence-out, ravdess$"),
        ("synthetic", "no protocol synthetic"),
        ("ravdess", "ravdess/left-out/1: no voice to train on"),
    ],
)
def test_a_corpus_to_leave_out_has_voices_and_leaves_some_to_learn_from(
    protocol: str, reason: str, corpus: Path, tmp_path: Path
) -> None:
    (tmp_path / "ravdess").symlink_to(corpus / "ravdess")
    (tmp_path / "esc10" / "002 - Rain").mkdir(parents=True)
    (tmp_path / "esc10" / "002 - Rain" / "1-17367-A.ogg").touch()
    with pytest.raises((CorpusError, RecipeError), match=reason):
        prepare(load_recipe("streamser-quick"), protocol=protocol, root=tmp_path, runs=tmp_path)


def test_predict_answers_by_the_run_that_is_named_else_by_what_is_shipped(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "mine.toml"
    quick = (RECIPES / "streamser-quick.toml").read_text()
    recipe.write_text(quick.replace("[fit]", "[fit]\nsynthetic_sounds = 22"))
    runs = tmp_path / "runs"
    bundle = runs / "streamser-quick" / "pooled-2-s1" / "bundle"
    shutil.copytree(load("streamser-open").path, bundle)

    def predict(recipe: object, *options: str) -> str:
        where = ("--root", str(corpus), "--runs", str(runs))
        done = main(["predict", str(demo_clip()), "--recipe", str(recipe), *options, *where])
        told = capsys.readouterr()
        return told.err if done else told.out

    assert "by streamser-research" in predict("streamser-research")
    assert "by streamser-open" in predict(recipe, "--fold", "2", "--seed", "1")
    assert "pooled-1-s0/bundle: not a model bundle" in predict(recipe)
    assert "no protocol nonsense" in predict("streamser-research", "--protocol", "nonsense")


def told(hops: Sequence[NDArray[np.floating]], own: NDArray[np.int_]) -> float:
    """Share of the variance of a clip's means that goes with its label."""
    means = np.array([clip.mean(axis=0, dtype=np.float64) for clip in hops])
    return float(np.mean(np.corrcoef(own, means, rowvar=False)[0, 1:] ** 2))


def test_a_bottleneck_keeps_what_tells_emotions(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of 40 numbers a hop tells the emotion, the least of them."""
    monkeypatch.setattr(bottleneck, "STEPS", 300)
    train = Examples(experiment.split.train, experiment.recipe, cache=experiment.cache)
    own = train.targets.argmax(axis=1)
    rng = np.random.default_rng(0)
    hops = [rng.standard_normal((20, 40)) for _ in own]
    for clip, emotion in zip(hops, own, strict=True):
        clip[:, 7] = (clip[:, 7] + emotion) / 4
    found = Bottleneck.of(hops, train, experiment.recipe, seed=0)
    voices = np.array([clip.emotion in EMOTIONS for clip in train.clips])
    assert np.mean((found(hops).argmax(axis=1) == own)[voices]) > 0.9
    hints = through(found.narrow, hops)
    assert told(hints, own) > 2 * told(hops, own)
    every = np.concatenate(hints).astype(np.float32)
    assert every.shape == (20 * len(own), bottleneck.WIDTH)
    np.testing.assert_allclose(every.mean(axis=0), 0.0, atol=1e-2)
    np.testing.assert_allclose(every.std(axis=0), 1.0, atol=1e-2)


def test_a_teacher_shares_the_targets_and_leaves_the_network_as_it_was(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bottleneck, "STEPS", 20)
    settings = dataclasses.replace(experiment.recipe.fit, passes=1, taught=0.5, hinted=1.0)
    taught = dataclasses.replace(experiment.recipe, fit=settings)
    run = {"cache": experiment.cache, "folder": tmp_path, "seed": 0, "votes": {}}
    try:
        network = fit(taught, experiment.split, **run)
    except RecipeError as error:
        pytest.skip(str(error))
    plain = Network(taught).clip_model()
    assert network.model.count_params() == plain.count_params()
    np.save(tmp_path / "soft_labels.npy", np.ones((3, len(taught.labels))))
    with pytest.raises(RecipeError, match="begun with other clips"):
        fit(taught, experiment.split, **run)


def test_hints_go_with_their_hops(experiment: Experiment) -> None:
    """At every speed, in stretches cut and joined: here a hint is its place, clip and hop.

    It comes a hop later, so the first two are the same.
    """
    recipe = experiment.recipe
    recipe = dataclasses.replace(recipe, augment=dataclasses.replace(recipe.augment, paste=0.5))
    heard = renditions(recipe)
    train = Examples(experiment.split.train, recipe, cache=experiment.cache, renditions=heard)
    places: dict[bytes, set[float]] = defaultdict(set)
    for rendition, found in zip(heard, train.features, strict=True):
        for i, features in enumerate(found):
            for hop, log_mel in enumerate(features.log_mel):
                places[log_mel.tobytes()].add(1000 * i + max(0, hop - 1) * rendition.speed)
    hops = [len(features.log_mel) for features in train.features[1]]
    train.hints = [1000 * i + np.arange(n)[:, None] for i, n in enumerate(hops)]
    for draw in itertools.chain(*Draws(train, recipe)(np.random.default_rng(0))):
        for log_mel, hint in zip(draw.heard.log_mel, draw.heard.hints[:, 0], strict=True):
            assert min(abs(place - hint) for place in places[log_mel.tobytes()]) <= 1


def test_joined_clips_are_of_one_voice(experiment: Experiment) -> None:
    recipe = experiment.recipe
    augment = dataclasses.replace(recipe.augment, paste=1.0)
    recipe = dataclasses.replace(recipe, augment=augment)
    train = Examples(experiment.split.train, recipe, cache=experiment.cache)
    voices: dict[bytes, set[str]] = defaultdict(set)
    for clip, features in zip(train.clips, train.features[0], strict=True):
        for hop in features.log_mel:
            voices[hop.tobytes()].add(clip.speaker)
    joined = 0
    for draw in itertools.chain(*Draws(train, recipe)(np.random.default_rng(0))):
        clip = train.clips[draw.clip]
        own = {hop.tobytes() for hop in train.features[0][draw.clip].log_mel}
        assert all(clip.speaker in voices[hop.tobytes()] for hop in draw.heard.log_mel)
        joined += any(hop.tobytes() not in own for hop in draw.heard.log_mel)
    assert joined


def test_every_emotion_is_drawn_though_one_is_rare(experiment: Experiment) -> None:
    recipe = experiment.recipe
    train = Examples(experiment.split.train, recipe, cache=experiment.cache)
    shares = train.draw_shares(recipe)
    assert shares.sum() == pytest.approx(1.0)
    by_emotion = {e: sum(s for s, c in zip(shares, train.clips, strict=True) if c.emotion == e)
                  for e in EMOTIONS}  # fmt: skip
    assert min(by_emotion.values()) > 0


def test_cached_features_are_what_the_live_path_hears() -> None:
    """The network hears the same of a clip from the training cache as from the recording."""
    bundle = load()
    manifest = bundle.manifest
    samples = np.concatenate(list(read_recording(demo_clip())))[: 16_000 * 6]
    features = Extractor(mfcc=manifest.features, gate=Settings().gate)(samples)
    keep = fading(Settings().half_life)
    normaliser = Normaliser(manifest.normaliser, manifest.features, keep=keep)
    encoder = Encoder(bundle)
    pool = RunningPool(manifest.network, keep=keep)
    for frames in to_mfcc(manifest.features, features.log_mel[features.voiced]):
        pool.push(*encoder.push(normaliser.push(frames)))
    logits = Head(bundle).logits(pool.pooled())
    whole = WholeAnalyzer(model=bundle).analyze([samples])
    assert whole is not None
    assert whole.speech_seconds <= features.voiced.sum() * 0.08 + 1e-9
    told = np.log([whole.scores[label] for label in manifest.labels])
    scaled = logits / manifest.verdict.temperature
    # The cache keeps decibels as float16.
    np.testing.assert_allclose(told - told.max(), scaled - scaled.max(), atol=0.25)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=60))
def test_unweighted_recall_is_macro_recall(pairs: list[tuple[int, int]]) -> None:
    true, found = np.array(pairs).T
    macro = metrics.recall_score(true, found, labels=np.unique(true), average="macro")
    assert unweighted_recall(true, found) == pytest.approx(macro)


def test_a_wrong_recipe_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    shipped = (RECIPES / "streamser-research.toml").read_text()
    path.write_text(shipped.replace("passes", "pases"))
    with pytest.raises(RecipeError, match="pases"):
        load_recipe(str(path))
    path.write_text(shipped.replace("pooled/1/refit", "pooled-1-refit"))
    with pytest.raises(RecipeError, match="no split pooled-1-refit"):
        load_recipe(str(path))
    with pytest.raises(RecipeError, match="streamser-research"):
        load_recipe("nothing")
    assert isinstance(load_recipe("streamser-research"), Recipe)


@pytest.mark.parametrize(
    ("wrong", "right", "reason"),
    [
        ("The network", "Le r\u00e9seau", "utf-8"),
        ("n_mfcc = 64", "n_mfcc = 300", "mfcc.n_mfcc has to be in"),
        ("passes = 40", 'passes = "many"', "fit.passes has to be a whole number"),
        ("name =", "gate = 3\nname =", "gate has to be an object"),
    ],
)
def test_a_wrong_value_in_a_recipe_is_named(
    wrong: str, right: str, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    told = (RECIPES / "streamser-quick.toml").read_text().replace(wrong, right)
    path.write_text(told, encoding="latin-1")
    with pytest.raises(RecipeError, match=f"{path}: .*{reason}"):
        find_recipe(str(path))


@needs_corpora
def test_analyze_whole_gives_the_figures_of_evaluate(tmp_path: Path) -> None:
    """`streamser analyze --whole` over a corpus folder is the evaluation, clip by clip."""
    chosen = [clip for clip in ravdess.READER.read(ROOT) if clip.speaker == "Actor_01"]
    folder = chosen[0].path.parent
    command = [sys.executable, "-m", "streamser", "analyze", "--whole", "--format", "jsonl"]
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=True)
    told = {Path(r["path"]).stem: r for r in map(json.loads, done.stdout.splitlines())}
    judged = answers(load(), chosen)
    labels = load().manifest.labels
    for clip, scores, status in zip(judged.clips, judged.scores, judged.status, strict=True):
        record = told[clip.path.stem]
        assert record["status"] == status
        np.testing.assert_allclose([record["scores"][x] for x in labels], scores, atol=1e-5)

"""From the trained Keras network to a bundle of two INT8 networks and a manifest."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from streamser.analysis.pooling import RunningPool
from streamser.analysis.verdict import Verdict
from streamser.model.bundle import load
from streamser.model.manifest import (
    ENCODER,
    HEAD,
    MANIFEST,
    BundleError,
    Manifest,
    NetworkShape,
    VerdictSettings,
)
from train.baseline import fit_baseline
from train.batches import Front
from train.begun import require_split
from train.convert import in_int8, in_int8_as_it_goes
from train.corpora import CORPORA, Clip
from train.corpora.clip import EMOTIONS
from train.examples import Examples
from train.experiment import Experiment
from train.figures import fit_temperature, fit_threshold, fit_unknown_above
from train.fit import Fitted, load_fitted
from train.judge import answers, hear, recorded_sounds
from train.one_state import with_one_state
from train.recipe import Recipe
from train.rounding import round_convolutions

Floats = NDArray[np.float32]


class FloatStream:
    """The network in Keras, hop by hop: what the INT8 bundle is calibrated on and held against."""

    def __init__(self, fitted: Fitted) -> None:
        self._step = fitted.network.step_model()
        self._head = fitted.network.head_model()
        self._run_step = tf.function(self._step)
        self._run_head = tf.function(self._head)
        shapes = fitted.network.encoder.state_shapes()
        self._shapes = {f"state_{i}": shape for i, shape in enumerate(shapes)}
        self._network_shape = network_shape(fitted)

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the states, in order."""
        return tuple(self._shapes)

    def hear(self, hops: Floats) -> Iterator[tuple[dict[str, Floats], dict[str, Floats]]]:
        """For each of the (frames, n_mfcc) hops yield the encoder's inputs and outputs."""
        states = {name: np.zeros((1, *shape), np.float32) for name, shape in self._shapes.items()}
        for hop in hops:
            inputs = {"features": hop[None, None], **states}
            outputs = {k: v.numpy() for k, v in self._run_step(list(inputs.values())).items()}
            states = {name: outputs[f"{name}_out"] for name in states}
            yield inputs, outputs

    def pooled(self, hops: Floats) -> Floats:
        """Return the (pooled_dim,) statistics of a whole clip."""
        pool = RunningPool(self._network_shape, keep=1.0)
        for _, outputs in self.hear(hops):
            pool.push(outputs["embedding"][0, 0], outputs["weight"][0, 0])
        return pool.pooled()

    def logits(self, hops: Floats) -> Floats:
        """Return the (labels,) logits of a whole clip."""
        return np.asarray(self._run_head([self.pooled(hops)[None]])["logits"].numpy()[0])


def export(
    recipe: Recipe,
    fitted: Fitted,
    calibration: list[Floats],
    *,
    folder: Path,
    version: str,
    licence: str,
    verdict: VerdictSettings,
    provenance: dict[str, Any],
) -> Manifest:
    """Write a bundle into `folder`; `calibration` are normalised (hops, frames, n_mfcc) clips."""
    stream = FloatStream(fitted)

    def encoder_samples() -> Iterator[dict[str, Floats]]:
        for clip in calibration:
            for inputs, _ in stream.hear(clip):
                yield inputs

    quantised = in_int8(fitted.network.step_model(), encoder_samples)
    encoder, states = with_one_state(quantised, stream.states)
    files = {ENCODER: encoder, HEAD: in_int8_as_it_goes(fitted.network.head_model())}
    manifest = Manifest(
        name=recipe.name,
        version=version,
        created=datetime.now(UTC).date().isoformat(),
        license=licence,
        description=recipe.description,
        labels=recipe.labels,
        features=recipe.mfcc,
        normaliser=fitted.normaliser,
        network=replace(network_shape(fitted), states=states),
        verdict=verdict,
        files={name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        data_licences={name: CORPORA[name].licence for name in recipe.corpora if name in CORPORA},
        provenance=provenance,
    )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / MANIFEST).write_text(manifest.to_json())
    return manifest


def export_run(
    experiment: Experiment, *, folder: Path, version: str, licence: str, voices: int = 40
) -> Manifest:
    """Export a finished run: round and calibrate by training voices, fit the verdict by dev ones.

    Few voices and no other sounds: a range that holds the rarest of peaks is coarse for all.
    Temperature and threshold are fitted on the answers of the INT8 network itself. A bundle in
    `folder` is replaced. Raises BundleError where something else is there, and RecipeError where
    the run learnt from other clips.
    """
    recipe = experiment.recipe
    if folder.exists() and not (folder / MANIFEST).is_file() and any(folder.iterdir()):
        raise BundleError(f"{folder} holds something else than a bundle: name another folder")
    require_split(experiment.folder, experiment.split.hash)
    fitted = load_fitted(recipe, experiment.folder)
    train = Examples(experiment.split.train, recipe, cache=experiment.cache)
    front = Front(recipe, fitted.normaliser)
    rng = np.random.default_rng(experiment.seed)
    shares = train.draw_shares(recipe) * [clip.emotion in EMOTIONS for clip in train.clips]
    chosen = rng.choice(len(shares), voices, replace=False, p=shares / shares.sum())
    features = [train.features[0][i] for i in chosen]
    calibration = [front(found.log_mel[found.voiced][: recipe.fit.max_hops]) for found in features]
    round_convolutions(fitted, calibration)
    manifest = export(
        recipe,
        fitted,
        calibration,
        folder=folder,
        version=version,
        licence=licence,
        verdict=OPEN,
        provenance={k: v for k, v in experiment.read("fit.json").items() if k != "settings"},
    )
    manifest = _with_verdict(folder, manifest, fit_verdict(folder, experiment.split.dev))
    baseline = fit_baseline(load(folder), experiment.split.dev, experiment.cache)
    return _write(folder, replace(manifest, baseline=baseline))


OPEN = VerdictSettings(temperature=1.0, threshold=0.0, unknown_above=1.0)
"""A verdict that rejects nothing, until the real one is fitted."""


def fit_verdict(folder: Path, dev: Sequence[Clip]) -> VerdictSettings:
    """Fit temperature and rejection to the answers of the INT8 network on dev speakers."""
    bundle = load(folder)
    manifest = bundle.manifest
    judged = answers(bundle, dev)
    verdict = replace(OPEN, temperature=fit_temperature(judged, manifest.labels))
    calibrated = Verdict(manifest.labels, verdict, interval=1.0)
    scores = np.array([calibrated.probabilities(row) for row in judged.logits.astype(np.float32)])
    threshold = fit_threshold(replace(judged, scores=scores), rejected=0.05)
    _with_verdict(folder, manifest, verdict)
    heard = hear(load(folder), recorded_sounds(dev))
    limit = fit_unknown_above(heard, manifest.labels, threshold=threshold, emotional=0.001)
    return replace(verdict, threshold=threshold, unknown_above=limit)


def _with_verdict(folder: Path, manifest: Manifest, verdict: VerdictSettings) -> Manifest:
    return _write(folder, replace(manifest, verdict=verdict))


def _write(folder: Path, manifest: Manifest) -> Manifest:
    (folder / MANIFEST).write_text(manifest.to_json())
    return manifest


def network_shape(fitted: Fitted) -> NetworkShape:
    """Describe the network as the manifest does, but for its states."""
    network = fitted.network
    return NetworkShape(
        frames_per_hop=network.frames_per_hop,
        steps_per_hop=network.steps_per_hop,
        embedding_dim=network.settings.body,
        pooling="weighted_mean_std",
        pooled_dim=network.pooled_dim,
    )

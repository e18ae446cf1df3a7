"""All figures of a bundle on the test side of its run."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamser.model.bundle import Bundle
from train import corpora
from train.baseline import gain, two_neutral
from train.batches import Front, whole_clips
from train.conditions import conditions
from train.corpora.clip import BOREDOM, EMOTIONS, UNKNOWN
from train.examples import Examples
from train.experiment import Experiment
from train.figures import calibration, confusion, corpus_figures, spoken
from train.fit import load_fitted, predict
from train.judge import Answers, Heard, answers, emotional_seconds, hear, recorded_sounds
from train.over_time import recalls_over_seconds
from train.scores import unweighted_recalls


def agreement(bundle: Bundle, experiment: Experiment) -> dict[str, Any]:
    """Return how far it agrees with the acted labels; percentages are 0 to 100."""
    labels = bundle.manifest.labels
    test = experiment.split.test
    judged = answers(bundle, test)
    unquantised = float_recalls(experiment)
    return {
        "model": {"name": bundle.info.name, "sha256": bundle.info.sha256},
        "corpora": _rounded(corpus_figures(judged, labels)),
        "float_ua": _rounded({name: 100 * ua for name, ua in unquantised.items()}),
        "confusion": confusion(judged, labels).tolist(),
        "calibration": _rounded(calibration(judged, labels)),
        "ua_by_gender": _rounded(_by_gender(spoken(judged), labels)),
        "ua_over_seconds": _rounded(recalls_over_seconds(bundle, test, experiment.cache)),
    }


def trust(bundle: Bundle, experiment: Experiment) -> dict[str, Any]:
    """Return what it makes of noise, rooms, telephones, profiles, sounds and other emotions."""
    sounds = [clip for clip in experiment.split.test if clip.emotion == UNKNOWN]
    heard = hear(bundle, sounds)
    return {
        "calibrated": _calibrated(bundle, experiment),
        "ua_through": _through(bundle, experiment),
        "sounds": {
            corpus: _share([h for h in heard if h.clip.corpus == corpus])
            for corpus in sorted({clip.corpus for clip in sounds})
        },
        "boredom_rejected": _boredom(bundle, experiment),
    }


def _by_gender(voices: Answers, labels: tuple[str, ...]) -> dict[str, float]:
    """Mean UA over the corpora that have such voices."""
    genders = np.array([clip.gender for clip in voices.clips])
    return {
        gender: corpus_figures(voices.of(np.flatnonzero(genders == gender)), labels)["mean"]["ua"]
        for gender in ("female", "male")
        if np.any(genders == gender)
    }


def float_recalls(experiment: Experiment) -> dict[str, float]:
    """Return the UA of each corpus by the Keras network, over the same features."""
    recipe = experiment.recipe
    fitted = load_fitted(recipe, experiment.folder)
    test = Examples(experiment.split.test, recipe, cache=experiment.cache)
    front = Front(recipe, fitted.normaliser)
    logits = predict(fitted.model, list(whole_clips(test, front)))[:, 0]
    return unweighted_recalls(test.clips, logits, recipe.labels)


def _through(bundle: Bundle, experiment: Experiment) -> dict[str, dict[str, float]]:
    """UA of each corpus in noise and over a telephone, in percent."""
    voices = [clip for clip in experiment.split.test if clip.emotion in EMOTIONS]
    noises = recorded_sounds(experiment.split.test)
    labels = bundle.manifest.labels
    return {
        name: _rounded(
            {
                corpus: row["ua"]
                for corpus, row in corpus_figures(
                    answers(bundle, voices, through=condition), labels
                ).items()
            }
        )
        for name, condition in conditions(noises, seed=experiment.seed).items()
    }


def _calibrated(bundle: Bundle, experiment: Experiment) -> dict[str, dict[str, float]] | None:
    """UA of the test speakers without and with a baseline of their ordinary voice."""
    baseline = bundle.manifest.baseline
    if baseline is None or not two_neutral(experiment.split.test):
        return None
    neutral = np.array(baseline.neutral, dtype=np.float32)
    shares = (0.0, baseline.share)
    gains = gain(bundle, experiment.split.test, experiment.cache, neutral=neutral, shares=shares)
    return {"without": _rounded(gains[0.0]), "with": _rounded(gains[baseline.share])}


def _share(heard: list[Heard]) -> dict[str, float]:
    clips = float(np.mean([h.named.any() for h in heard]))
    return _rounded({"seconds": 100 * emotional_seconds(heard), "clips": 100 * clips})


def _boredom(bundle: Bundle, experiment: Experiment) -> float | None:
    """Percent of the test speakers' bored clips that are not given an emotion."""
    if "emodb" not in corpora.present(experiment.root):
        return None
    testing = {clip.speaker_key for clip in experiment.split.test}
    emodb = corpora.read(experiment.root, ["emodb"])
    bored = [c for c in emodb if c.emotion == BOREDOM and c.speaker_key in testing]
    judged = answers(bundle, bored)
    named = [status in ("provisional", "steady") for status in judged.status]
    return round(100 * (1 - float(np.mean(named))), 1) if named else None


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return round(float(value), 3) if not isinstance(value, int) else value

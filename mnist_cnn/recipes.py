"""The two recipes: what the optimizer does over a run. The network and the loss are the same in both."""

import math

import keras

from mnist_cnn.settings import ARTICLE_BATCH, TrainingSettings

OPTIMIZERS = {"rmsprop": keras.optimizers.RMSprop, "sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}
ARTICLE_RATES = {"rmsprop": 1e-3, "sgd": 1e-2, "adam": 1e-3}  # Keras's defaults, which the article kept
TUNED_PEAK_OVER_ARTICLE = 2.0
TUNED_WARMUP_SHARE = 0.2


def build_optimizer(settings: TrainingSettings, steps_per_epoch: int) -> keras.Optimizer:
    """Build the optimizer of a recipe: a constant rate for `article`, warm-up and cosine for `tuned`.

    A cosine needs to know its end: `settings.epochs` epochs, or one where epochs is 0.
    """
    peak = peak_learning_rate(settings)
    if settings.recipe == "article":
        return OPTIMIZERS[settings.optimizer](learning_rate=peak)
    steps = max(settings.epochs, 1) * steps_per_epoch
    warmup = round(TUNED_WARMUP_SHARE * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.1 * peak, decay_steps=steps - warmup, warmup_target=peak, warmup_steps=warmup
    )
    return OPTIMIZERS[settings.optimizer](learning_rate=schedule)


def peak_learning_rate(settings: TrainingSettings) -> float:
    """The highest rate of a run, after the rule by global batch.

    `linear` is Goyal et al. 2017 (rate x batch / 200), `sqrt` Krizhevsky 2014 (rate x sqrt(batch / 200)).
    """
    if isinstance(settings.learning_rate, float | int):
        return float(settings.learning_rate)
    own = ARTICLE_RATES[settings.optimizer] * (TUNED_PEAK_OVER_ARTICLE if settings.recipe == "tuned" else 1.0)
    ratio = settings.global_batch / ARTICLE_BATCH
    return own * {None: 1.0, "linear": ratio, "sqrt": math.sqrt(ratio)}[settings.learning_rate]

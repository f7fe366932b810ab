"""The initial linear head: fitted to the features as they are, before fine-tuning."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

_C = 0.01  # inverse strength of the penalty on standardised features; by validation on UTKFace
_ALPHA = 100.0


def fit_head(features: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit a dense layer on features: logistic regression for classes, ridge for a number.

    Args:
        features: float (n, d).
        values: one-hot (n, classes) with at least two columns, or numbers (n, 1).

    Returns:
        Kernel (d, outputs) and bias (outputs,), float32; a class without a picture gets the lowest
        bias of the others minus 5.

    Source: Kumar et al. 2022, linear probing before fine-tuning.
    """
    features = np.asarray(features, np.float64)
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    deviation[deviation < 1e-9] = 1.0
    standard = (features - mean) / deviation
    outputs = values.shape[1]
    kernel, bias = np.zeros((features.shape[1], outputs)), np.zeros(outputs)
    if outputs == 1:
        found = Ridge(alpha=_ALPHA).fit(standard, values[:, 0])
        kernel[:, 0], bias[0] = found.coef_, found.intercept_
    else:
        labels = values.argmax(axis=1)
        seen = np.unique(labels)
        if len(seen) > 1:
            with warnings.catch_warnings():
                # A rough optimum is enough for the start of training.
                warnings.simplefilter("ignore", ConvergenceWarning)
                found = LogisticRegression(C=_C, max_iter=200).fit(standard, labels)
            if len(seen) == 2:  # scikit-learn returns only the logit of the second class
                kernel[:, seen[1]], bias[seen[1]] = found.coef_[0], found.intercept_[0]
            else:
                kernel[:, seen], bias[seen] = found.coef_.T, found.intercept_
        unseen = np.setdiff1d(np.arange(outputs), seen)
        bias[unseen] = bias[seen].min() - 5
    kernel /= deviation[:, None]
    return kernel.astype(np.float32), (bias - mean @ kernel).astype(np.float32)

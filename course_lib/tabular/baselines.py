"""What a language model must beat: ordinary classifiers on the same few rows."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.tabular.encodings import mean_and_deviation


def logistic_regression(
    train: Float[Tensor, "k d"],
    labels: Int[Tensor, "k"],
    test: Float[Tensor, "n d"],
    *,
    strength: float = 1.0,
) -> Float[Tensor, "n"]:
    """p(label = 1) of the test rows by logistic regression with an L2 penalty.

    Minimises sum_i log-loss_i + |w|^2 / (2 strength), the intercept free (scikit-learn's).
    """
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=2000)
    model.fit(train.double().numpy(), labels.numpy())
    return torch.from_numpy(model.predict_proba(test.double().numpy())[:, 1]).float()


def gradient_boosting(
    train: Float[Tensor, "k d"], labels: Int[Tensor, "k"], test: Float[Tensor, "n d"]
) -> Float[Tensor, "n"]:
    """p(label = 1) of the test rows by gradient-boosted trees (scikit-learn's histogram version).

    A leaf holds at least an eighth of the rows, or 20 rows if these are fewer: with scikit-learn's
    default of 20 throughout, few rows could not be split at all.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    smallest = max(1, min(20, len(train) // 8))
    model = HistGradientBoostingClassifier(random_state=0, min_samples_leaf=smallest)
    model.fit(train.numpy(), labels.numpy())
    return torch.from_numpy(model.predict_proba(test.numpy())[:, 1]).float()


def standardised(
    train: Float[Tensor, "k d"], test: Float[Tensor, "n d"]
) -> tuple[Float[Tensor, "k d"], Float[Tensor, "n d"]]:
    """Both matrices with the training rows' mean 0 and deviation 1 (constant columns become 0)."""
    mean, deviation = mean_and_deviation(train)
    scale = torch.where(deviation > 0, deviation, torch.inf)
    return (train - mean) / scale, (test - mean) / scale


def on_features(
    train: Float[Tensor, "k d"], labels: Int[Tensor, "k"], test: Float[Tensor, "n d"]
) -> Float[Tensor, "n"]:
    """Logistic regression on standardised features of a network: many columns, so a strong penalty."""
    scaled, scaled_test = standardised(train, test)
    return logistic_regression(scaled, labels, scaled_test, strength=0.01)


def with_prior(
    train: Float[Tensor, "k d"],
    labels: Int[Tensor, "k"],
    test: Float[Tensor, "n d"],
    train_logit: Float[Tensor, "k"],
    test_logit: Float[Tensor, "n"],
) -> Float[Tensor, "n"]:
    """Logistic regression that starts from another model's opinion: the language model as a prior.

    logit p = z + w x + c, with z the other model's standardised zero-shot logit, kept as it is, and
    w, c fitted under the same L2 penalty as in `logistic_regression`. Without data it says what the
    prior says.
    """
    z, z_test = standardised(train_logit[:, None], test_logit[:, None])
    w = torch.zeros(train.shape[1], dtype=torch.double, requires_grad=True)
    c = torch.zeros((), dtype=torch.double, requires_grad=True)
    optimiser = torch.optim.LBFGS([w, c], max_iter=200, line_search_fn="strong_wolfe")
    x, y, offset = train.double(), labels.double(), z[:, 0].double()

    def loss() -> Tensor:
        optimiser.zero_grad()
        logit = offset + x @ w + c
        value = torch.nn.functional.binary_cross_entropy_with_logits(logit, y, reduction="sum")
        value = value + w.square().sum() / 2
        value.backward()
        return value

    optimiser.step(loss)
    with torch.no_grad():
        return torch.sigmoid(z_test[:, 0].double() + test.double() @ w + c).float()

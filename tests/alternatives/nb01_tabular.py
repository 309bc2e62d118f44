"""Right answers to notebook 01, written otherwise than the references."""

import numpy as np
import pandas as pd
import torch

from course_lib.tabular import QUESTION

# Encodings


def encode_with_pandas(frame, fitted):
    parts = []
    for name in frame:
        if pd.api.types.is_numeric_dtype(fitted[name]):
            z = (frame[name] - fitted[name].mean()) / fitted[name].std(ddof=0)
            parts.append(z.fillna(0.0).to_numpy(dtype=float)[:, None])
        else:
            known = sorted(fitted[name].dropna().unique())
            parts.append(np.stack([(frame[name] == value).to_numpy(float) for value in known], 1))
    return torch.tensor(np.concatenate(parts, 1), dtype=torch.float64)


def encode_row_by_row(frame, fitted):
    numeric = {n: pd.api.types.is_numeric_dtype(fitted[n]) for n in fitted.columns}
    kinds = {n: sorted(fitted[n].dropna().unique()) for n in fitted.columns if not numeric[n]}
    rows = []
    for record in frame.to_dict("records"):
        row = []
        for name, value in record.items():
            if numeric[name]:
                mean, deviation = fitted[name].mean(), fitted[name].std(ddof=0)
                row.append(0.0 if pd.isna(value) or not deviation else (value - mean) / deviation)
            else:
                row += [1.0 if value == kind else 0.0 for kind in kinds[name]]
        rows.append(row)
    return torch.tensor(rows)


# Templates


def list_by_loop(row):
    text = ""
    for name, value in row.items():
        if value is not None:
            text += ("\n" if text else "") + "- " + name + ": " + str(value)
    return text


def list_by_strip(row):
    lines = [f"- {n}: {v}\n" for n, v in row.items() if v is not None]
    return "".join(lines).strip()


def text_by_loop(row):
    sentences = []
    for name in row:
        if row[name] is not None:
            sentences.append("The " + name + " is " + str(row[name]) + ".")
    return " ".join(sentences)


def text_by_format(row):
    known = {n: v for n, v in row.items() if v is not None}
    return " ".join(map("The {0[0]} is {0[1]}.".format, known.items()))


def prompt_by_join(text, question=QUESTION, gap=" "):
    return "\n\n".join([text, gap.join([question + " Yes or no?", "Answer:"])])


def prompt_by_plus(text, question=QUESTION, *, gap=" "):
    return text + "\n" + "\n" + question + " Yes or no?" + gap + "Answer" + ":"


# Scores


def p_yes_softmax(logits, yes, no):
    return logits[:, [no, yes]].softmax(dim=1)[:, 1]


def p_yes_loop(logits, yes, no):
    out = []
    for row in logits.double():
        top = torch.maximum(row[yes], row[no])
        a, b = torch.exp(row[yes] - top), torch.exp(row[no] - top)
        out.append(a / (a + b))
    return torch.stack(out)


def auc_pairs(scores, labels):
    p, n = scores[labels == 1][:, None], scores[labels == 0][None]
    return ((p > n).float() + 0.5 * (p == n).float()).mean()


def auc_sklearn(scores, labels):
    from sklearn.metrics import roc_auc_score

    return torch.tensor(roc_auc_score(labels.numpy(), scores.numpy()))


def auc_loop(scores, labels):
    wins = pairs = 0.0
    for s, y in zip(scores.tolist(), labels.tolist(), strict=True):
        for t, z in zip(scores.tolist(), labels.tolist(), strict=True):
            if y == 1 and z == 0:
                pairs += 1
                wins += 1.0 if s > t else 0.5 if s == t else 0.0
    return wins / pairs


# Few shots


def sample_by_multinomial(labels, shots, *, generator):
    chosen = [
        torch.multinomial((labels == c).float(), shots // 2, generator=generator) for c in (0, 1)
    ]
    both = torch.cat(chosen)
    return both[torch.randperm(len(both), generator=generator)]


def sample_by_walking(labels, shots, generator):
    taken, left = [], {0: shots // 2, 1: shots // 2}
    for i in torch.randperm(len(labels), generator=generator).tolist():
        if left[int(labels[i])] > 0:
            left[int(labels[i])] -= 1
            taken.append(i)
    return torch.tensor(taken)


# LoRA


class LoRAWithLayers(torch.nn.Module):
    def __init__(self, linear, rank=8, alpha=16.0):
        super().__init__()
        self.linear = linear
        for p in self.linear.parameters():
            p.requires_grad = False
        self.factor = alpha / rank
        self.a = torch.nn.Parameter(0.01 * torch.randn(rank, linear.in_features))
        self.b = torch.nn.Parameter(torch.zeros(linear.out_features, rank))

    def forward(self, x):
        weight = self.linear.weight + self.factor * self.b @ self.a
        return torch.nn.functional.linear(x, weight, self.linear.bias)


class LoRAByEinsum(LoRAWithLayers):
    def forward(self, x):
        down = torch.einsum("...i,ri->...r", x, self.a)
        return self.linear(x) + self.factor * torch.einsum("...r,or->...o", down, self.b)


ALTERNATIVES = {
    "encode_frame": (encode_with_pandas, encode_row_by_row),
    "list_template": (list_by_loop, list_by_strip),
    "text_template": (text_by_loop, text_by_format),
    "build_prompt": (prompt_by_join, prompt_by_plus),
    "choice_probability": (p_yes_softmax, p_yes_loop),
    "roc_auc": (auc_pairs, auc_sklearn, auc_loop),
    "balanced_sample": (sample_by_multinomial, sample_by_walking),
    "LoRALinear": (LoRAWithLayers, LoRAByEinsum),
}

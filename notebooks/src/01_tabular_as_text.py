# %% [markdown]
# # 1 · Tabular data as text
# **You will be able to** encode a table with numbers and categories, write its rows as text, ask a
# pretrained language model about them, score its answers, tune it on a handful of labelled rows, and
# say honestly whether it beats ordinary classifiers.
#
# *About 85 minutes with the exercises, 30 without. You need logistic regression and a rough idea of what
# a transformer does. Runs in under 3 minutes on two quiet CPU cores; on a Colab T4 in about one (an
# estimate, not measured).*
#
# The first time, the language model (SmolLM2, 135 million weights) is downloaded: about 270 MB from the
# Hugging Face hub, or, where the hub cannot be reached, 93 MB with most weights rounded to 4 bits. The
# outputs and stored scores here are of the rounded one; yours may differ a little. Without a model the
# notebook runs on the stored scores.

# %% [setup]

# %% [markdown]
# ## 1.1 The table
# The slide's table: what is the income of the fifth person, given four labelled rows?

# %%
import math
import textwrap

from torch import nn

from course_lib import tabular, viz
from course_lib.tabular import study

slide = tabular.slide_table()
rows = slide.fillna("?").values.tolist()


def show_text(text):
    """Print a text in short lines that break between words."""
    print("\n".join(textwrap.fill(line, 66) for line in text.splitlines()))


viz.table(rows, list(slide.columns), "The slide's table: four labelled rows and one to predict")

# %% [markdown]
# Four rows teach little and leave none to measure with, so we also take real ones: 8,141 rows of the
# *Adult* data set, people interviewed for the US census bureau in 1994. The data set's first row is the
# slide's first. 500 rows are held out to measure with; all training rows come from the rest, the *pool*.

# %%
pool, pool_labels, test, labels = study.held_out_rows()
viz.table(
    [[name, *test[name].head(3).tolist()] for name in test.columns]
    + [["earns > 50K", *labels[:3].tolist()]],
    ["column", "row 1", "row 2", "row 3"],
    f"Three of {len(test)} held-out rows; {labels.float().mean():.0%} of all earn more than 50,000 dollars",
)

# %% [markdown]
# ## 1.2 Encodings: a table as numbers
# *Slide: Encoding, pretraining, tabular DL.* A network takes numbers. Four ways to get them:
#
# | encoding | of a value $x$ in its column | says |
# |---|---|---|
# | standardised | $(x - \mu)/\sigma$, with $\mu$ the mean and $\sigma$ the standard deviation of the *training* rows | how unusual a number is |
# | ordinal | the place of $x$ in a list of the categories | an order, whether there is one or not |
# | one-hot | a vector $e_x$ of zeros with a single 1 at that place | which category, nothing else |
# | embedding | $W e_x$, with $W$ a learned matrix of $d$ rows and one column per category | what training finds useful |
#
# **Exercise [[encode_frame]].** Write `encode_frame`: a table with numbers and categories as one matrix. Numbers are
# standardised, categories one-hot, in the order of the columns. A missing number becomes 0
# (the mean), a missing or unseen category a row of zeros. `tabular.standardise` and `tabular.one_hot`
# do a column each.

# %%
import pandas as pd

from course_lib.tabular import known_values, one_hot, standardise

print(standardise(torch.tensor([1.0, 3.0, torch.nan]), torch.tensor([1.0, 3.0])))
print(one_hot(["vet", "pilot"], ["cook", "vet"]))

# %% [exercise] encode_frame

# %% [markdown]
# **Predict:** the same logistic regression is trained on 2,000 rows in three encodings. Which is best?

# %%
few, few_labels = pool.iloc[:2000], pool_labels[:2000]
encoders = {
    "numbers only": encode_frame,
    "ordinal": tabular.encode_ordinal,
    "one-hot": encode_frame,
}
numbers = ["Age", "Work hours per week", "Capital gain last year", "Capital loss last year"]
aucs = {}
for name, encode in encoders.items():
    columns = numbers if name == "numbers only" else list(pool.columns)
    x, x_test = (encode(table[columns], few[columns]).float() for table in (few, test))
    p = tabular.logistic_regression(x, few_labels, x_test)
    aucs[f"{name} ({x.shape[1]} columns)"] = round(tabular.roc_auc(p, labels).item(), 3)
viz.bar_chart(aucs, y="AUC on held-out rows", alt="One-hot columns are best, ordinal ones next.")

# %% [markdown]
# *What to see:* the same classifier, the same rows; only the columns differ. (AUC, the area under the
# ROC curve, is the probability that a random positive gets a higher score than a random negative, ties
# counting half; you will write it below.) An ordinal code of "Occupation" is an alphabetical number, of
# which a linear model can make little.
#
# **Pretraining** is what all these encodings lack: a column called `c7` and one called "Education"
# look the same to them. A model that has read text knows what a doctoral degree has to do with
# income before it sees a single row. To use that, a row must become text.

# %% [markdown]
# ## 1.3 Serialisation: a row as text
# *Slide: serialise feature names and values with different methods.* TabLLM (Hegselmann et al., 2023)
# compares these, for a row with the names $n_1, n_2, \dots$ and the values $v_1, v_2, \dots$:
#
# | method | text |
# |---|---|
# | list template | one line "- $n_i$: $v_i$" per feature |
# | text template | one sentence "The $n_i$ is $v_i$." per feature |
# | values only | one line "$v_i$" per feature |
# | permuted names | the list template, each value under another column's name, the same for all rows |
# | permuted values | the list template, each category exchanged for another of its column, each number for the median of another group of its column's values (tenths, where they can be made), likewise |
#
# **Exercises [[list_template]] and [[text_template]].** Write the two templates. `row` is a dictionary;
# a missing value is None, and its feature is left out; 0 is a value. (TabLLM's code keeps its sentence,
# with no value in it.) `known_values(row)` is given: the row without what is missing, values as texts.

# %% [exercise] list_template

# %% [exercise] text_template

# %% [markdown]
# All methods on one row, with two more: a short list, and a sentence as a person would say it, which
# leaves out race, country, family role, and gains and losses of 0.

# %%
methods = study.serialisations(pool)
methods |= {"list template": list_template, "text template": text_template}
person = {name: None if pd.isna(v) else v for name, v in test.iloc[0].to_dict().items()}
for name, method in methods.items():
    show_text(f"--- {name}\n{method(person)}\n\n")

# %% [markdown]
# ### A text written by a language model
# TabLLM also let models write the text: **table-to-text** (BLOOM with 0.56 billion weights, tuned on
# tables of Wikipedia) got one feature at a time, T0 (11 billion) two, GPT-3 (much larger still) the
# whole row. On average over nine data sets the text template was best with none and with few labelled
# rows, and of the models' texts the larger model's were the better ones: GPT-3, T0, table-to-text
# (figure 3 and its discussion there; with many labelled rows all serialisations end alike).
#
# Here the small model of this notebook writes (1.5 says what it is). It reads a few examples, rows with a
# text by a person, then the row, and continues by **greedy decoding**: the most probable token is
# appended, and the next one asked for. It gets seven columns, once each feature alone (*table-to-text*
# below), once the whole row (*LLM-written*). *Time: about 15 s on two CPU cores.*

# %%
try:
    llm = tabular.load_llm(device=DEVICE)
    print(f"{llm.name} is ready on {llm.device}.")
except tabular.ModelUnavailable:
    llm = None
    print("No language model here: what needs one is shown from stored scores.")

# %%
from course_lib.tabular import writing

stored = study.load_scores()
people = test[writing.COLUMNS].head(study.WRITTEN).to_dict("records")
texts = {"text template": [text_template(row) for row in people]} | stored.texts
for i in (0, 5):
    show_text(" | ".join(known_values(people[i]).values()))
    for name in stored.texts:
        show_text(f"  {name}: {texts[name][i]}")
if llm:
    print("\nThe slide's first and fifth row, written now:")
    of_slide = slide.drop(columns="income").iloc[[0, 4]].to_dict("records")
    for row, text in zip(of_slide, writing.rewrite(llm, of_slide), strict=True):
        show_text(f"{' | '.join(known_values(row).values())}\n  {text}")

# %% [markdown]
# **Predict:** of 200 rows, how many texts still say all seven values, and no other? What becomes of the AUC
# if the model reads its own text?

# %%
known = study.written_values(pool)
table = []
for name, written in texts.items():
    told = [writing.lost_and_invented(*pair, known) for pair in zip(people, written, strict=True)]
    lost, invented = (sum(map(len, part)) for part in zip(*told, strict=True))
    whole = sum(not any(pair) for pair in told)
    p = stored.scores[f"{name}, 7 columns/0/0"]
    auc = tabular.roc_auc(p, labels[: len(p)]).item()
    table.append([name, f"{whole} of {len(told)}", lost, invented, auc])
viz.table(
    table,
    ["text", "says all values", "values lost", "values invented", "AUC of the answers"],
    f"{sum(len(known_values(row)) for row in people):,} values of {len(people)} held-out rows (stored run)",
)

# %% [markdown]
# *What to see:* the template says everything. Of single features the model loses mostly what it puts
# into words of its own ("a salesperson" for *sales*, "a service provider" for *other services*), and
# invents next to nothing. Of whole rows only a minority survives: the employer is what is left out most
# often, and nearly all that is invented stands in the last example of the prompt, about a man: 35 of
# these 57 women are called male, and 19 of those are "she" further on. To the slide's rows, of three
# columns only, it added a job from there. The search is for words, so more or less may be wrong than it
# finds.
#
# The AUC is highest with single features all the same. Two reasons are likely: the sentences say of whom
# they speak, as the question does ("This person is male."), and are plainer English than "The Sex is
# Male." The gain over the template is 0.17, with a standard error of 0.04 (the same rows drawn anew).
# Whole rows gain nothing that 200 rows could tell: 0.05 ± 0.05. A text must be true *and* easy to read,
# and which one a model reads best has to be measured: with the larger models of TabLLM it was the
# template.

# %% [markdown]
# ## 1.4 The prompt
# *Slide: add a task-specific prompt.* The description, an empty line, the question with the possible
# answers, and "Answer:".
#
# > **Slide check.** The slide asks "Does this person earn more than 50000 dollars?". TabLLM's prompt
# > has "per year" in it: without a period of time the question has no answer. In TabLLM's file "Answer:"
# > stands on a line of its own, of which YAML makes a space. We ask with the line break (the last row of
# > the table in 1.7 has the space).
#
# **Exercise [[build_prompt]].** Write `build_prompt`. `gap` is what stands before "Answer:".

# %% [exercise] build_prompt

# %%
prompt = build_prompt(methods["natural sentence"](person), gap="\n")
show_text(prompt)

# %% [markdown]
# ## 1.5 A language model
# A causal language model turns a text of $t$ tokens into *logits*: a number $l_w$ for every token
# $w$ of its vocabulary, with $p(w \mid \text{text}) = e^{l_w} / \sum_u e^{l_u}$ for the next one.
# Ours, the SmolLM2-135M-Instruct that was loaded in 1.3, has 30 layers and 49,152 tokens; TabLLM used T0
# with 11 billion weights, 80 times as many.

# %%
if llm:
    pieces = llm.pieces(prompt)
    show_text(f"{len(pieces)} tokens: " + " · ".join(repr(piece)[1:-1] for piece in pieces))
    best = llm.next_token_logits([prompt])[0].softmax(0).topk(5)
    words = [llm.tokenizer.decode([int(token)]) for token in best.indices]
    viz.table(
        [[repr(word), p] for word, p in zip(words, best.values.tolist(), strict=True)],
        ["next token", "probability"],
        "What the model expects after the prompt",
    )

# %% [markdown]
# ## 1.6 p(Yes)
# *Slide: 4b.* Only two answers are allowed, so only their logits count:
# $$p(\text{Yes}) = \frac{e^{l_\text{Yes}}}{e^{l_\text{Yes}} + e^{l_\text{No}}},$$
# with $l_\text{Yes}$ and $l_\text{No}$ the logits of the tokens " Yes" and " No" after the prompt.
#
# **Exercise [[choice_probability]].** Write this formula for a batch, safe for large logits. `yes` and `no` are token
# numbers.

# %% [exercise] choice_probability

# %% [markdown]
# An answer of several tokens has a likelihood that is a *product*, which every further token makes
# smaller. TabLLM therefore takes the mean log-likelihood per token,
# $s = \frac{1}{T} \sum_{i=1}^{T} \log p(w_i \mid \text{prompt}, w_1 \dots w_{i-1})$ with $T$ the tokens
# of the answer, and normalises $e^s$ over the answers.

# %%
if llm:
    yes, no = llm.answer_token("Yes"), llm.answer_token("No")
    p = choice_probability(llm.next_token_logits([prompt]), yes, no).item()
    print(f"p(Yes) = {p:.3f}")
    answers = ["Yes", "No", "Yes, much more than that", "Hardly"]
    scores = llm.answer_scores(prompt, answers)
    viz.table(
        [
            [a, len(llm.tokens(" " + a)), s, p]
            for a, s, p in zip(answers, scores, scores.softmax(0), strict=True)
        ],
        ["answer", "tokens", "mean log-likelihood", "share"],
        "Answers of several tokens, compared by their mean",
    )

# %% [markdown]
# **Explore.** Change the person, the method and the question, and watch text, tokens and p(Yes).
# Try: does p(Yes) rise with education? With age? If you ask about 10,000 dollars? About cats?

# %%
from course_lib import widgets


def ask(age, sex, education, occupation, hours, gain, method, question):
    row = person | {"Age": age, "Sex": sex, "Education": education, "Occupation": occupation}
    row |= {"Work hours per week": hours, "Capital gain last year": gain}
    prompt = build_prompt(methods[method](row), question, gap="\n")
    caption = f"{len(prompt.split())} words; p(Yes) needs the model"
    if llm:
        p = choice_probability(llm.next_token_logits([prompt]), yes, no).item()
        caption = f"{len(llm.tokens(prompt))} tokens, p(Yes) = {p:.3f}"
    viz.table([[line] for line in prompt.splitlines()], ["the prompt, line by line"], caption)


# %%
explorer = widgets.explore(
    ask,
    {
        "age": (17, 90, 39),
        "sex": ["Female", "Male"],
        "education": sorted(pool["Education"].unique()),
        "occupation": sorted(pool["Occupation"].dropna().unique()),
        "hours": (1, 99, 40),
        "gain": (0, 20000, 0, 500),
        "method": list(methods),
        "question": tabular.QUESTION,
    },
    alt="A row as text, with its number of tokens and p(Yes).",
)

# %% [markdown]
# ## 1.7 Zero shots: what the model knows beforehand
# No training at all: the model answers for every held-out row. How good is the *order* of its
# p(Yes)? With $P$ positives and $N$ negatives, scores $s_i$ and $s_j$,
# $$\text{AUC} = \frac{1}{P N} \sum_{i \text{ positive}}\ \sum_{j \text{ negative}}
# \Big( [s_i > s_j] + \tfrac12 [s_i = s_j] \Big),$$
# where $[\cdot]$ is 1 if true and 0 if not.
#
# **Exercise [[roc_auc]].** Write `roc_auc`: scores (n,) and labels (n,), 0 or 1, → one number. Ties count one half.

# %% [exercise] roc_auc

# %% [markdown]
# Now live, on some of the held-out rows, beside the stored run on all 500. The layers below the top
# six are computed once and kept: tuning will need only the top ones. *Predict:* an AUC of 0.5 is
# guessing. What will a model reach that has never seen the table? *Time: about 15 s on two CPU cores,
# 3 s on a Colab T4 (an estimate, not measured).*

# %%
import time

from course_lib.running import Budget, budget

live = budget(120, 24, gpu=len(test))  # held-out rows that are computed here
some = labels[:live]
zero = stored.scores["zero/0/0"]
if llm:
    start = time.perf_counter()
    with study.quick_arithmetic(llm.device):
        cached = tabular.cache_features(llm, study.study_prompts(test.head(live)))
        zero_live = tabular.predict(llm, cached)
    print(
        f"live, {live} rows, {time.perf_counter() - start:.0f} s: AUC {roc_auc(zero_live, some):.3f}"
    )
print(f"stored, the same rows: AUC {roc_auc(zero[:live], some):.3f}")
print(
    f"stored, all 500 rows: AUC {roc_auc(zero, labels):.3f}, says Yes to {(zero > 0.5).float().mean():.0%}"
)

# %% [markdown]
# **Question [[measure_at_zero_shot]].** Without any training this model says Yes to nearly everyone, where a quarter would be
# right. Which measure tells what it knows all the same?

# %% [exercise] measure_at_zero_shot

# %% [markdown]
# Every serialisation, on the same rows, with its cost:

# %%
table = []
for name, notes in stored.notes.items():
    p = stored.scores["zero/0/0" if name == "natural sentence" else f"{name}/0/0"]
    p, y = p[: study.COMPARED], labels[: study.COMPARED]
    says_yes = (p > 0.5).float().mean().item()
    table.append([name, notes["tokens"], notes["seconds"], says_yes, roc_auc(p, y).item()])
viz.table(
    table,
    ["serialisation", "tokens", "CPU seconds a row", "share of Yes", "AUC"],
    f"Zero-shot, the first {study.COMPARED} held-out rows (stored run)",
)

# %% [markdown]
# *What to look for.*
# - Which method has the highest AUC, and is it the longest? Here a plain sentence was ahead of templates
#   with nearly twice its tokens.
# - The share of Yes, against the 24% that would be right: where it is near 0 or 1, accuracy would mostly
#   measure that bias.
# - **Permuted values** make what the model knows of them useless: "doctoral degree" may now stand where
#   "preschool" was. Boosted trees trained on *many* rows lose little, as they can learn the new code: so
#   this tests whether a model uses *prior knowledge*.
# - **Permuted names** ask whether it reads the names: a model that only looks for words such as
#   "doctoral degree" loses little.
#
# How many digits count? With about 70 positives and 230 negatives the standard error of an AUC is 0.03
# to 0.04 here. And the stored run was computed with numbers of 16 bits, which left each method at most
# 18 different p(Yes). So differences below 0.05 mean little.

# %% [markdown]
# ## 1.8 Few shots: balanced samples, and LoRA
# *Slide: 4a.* With $k$ labelled rows we tune the model. If they were drawn at random, $k = 4$ would hold
# no positive at all in a third of the draws, so half of each class is drawn.
#
# **Exercise [[balanced_sample]].** Write `balanced_sample`. Draw the rows **without** replacement.
# (TabLLM's code drew with replacement: at $k = 4$ the same row twice is a loss of half its class.)

# %% [exercise] balanced_sample

# %% [markdown]
# Sixteen rows are few to set 135 million weights. **LoRA** (Hu et al., 2022) freezes a matrix $W$ and
# learns a change of low rank:
# $$y = W x + c + \frac{\alpha}{r}\, B A x,$$
# with $x$ the layer's input, $y$ its output, $c$ the frozen bias (if any), $A$ of $r$ rows, $B$ of $r$
# columns, $r$ the rank and $\alpha$ a constant factor. $B$ starts at zero: the model starts where
# pretraining left it. TabLLM uses **IA3** instead, which only *scales* keys, values and inner
# activations by a learned vector $\ell$, number by number: $y = \ell \odot W x$.
#
# **Exercise [[LoRALinear]].** Write the layer. `linear` is a `torch.nn.Linear` (in `linear.in_features`, out
# `linear.out_features`).

# %% [exercise] LoRALinear

# %% [markdown]
# **Question [[lora_parameters]].** How many numbers does LoRA of rank 8 train in one layer of attention with four
# matrices of 576 × 576? (In SmolLM2 those of keys and values are smaller.)

# %% [exercise] lora_parameters

# %% [markdown]
# Sixteen shots, live, with your layer in the top six blocks. The loss is the cross-entropy of " No"
# against " Yes"; the loop inside `fine_tune` is the usual one: draw a batch, loss, backward, step.
# *Time: about half a minute on two CPU cores, 5 s on a Colab T4 (an estimate, not measured); it stops
# after 90 s.*

# %%
shots = budget(16, 4)
chosen = study.nested_sample(pool_labels, seed=42)[shots]
y = pool_labels[chosen]
if llm:
    tabular.remove_adapters(llm.network)  # so that the cell can be run twice
    torch.manual_seed(42)
    weights = tabular.add_lora(llm.network, layer=LoRALinear)
    steps = Budget(budget(study.STEPS[16], 2), seconds=90.0, label=f"LoRA, {shots} shots")
    generator, rate = torch.Generator().manual_seed(42), study.LEARNING_RATE[16]
    settings = {"generator": generator, "learning_rate": rate}
    with study.quick_arithmetic(llm.device):
        examples = tabular.cache_features(llm, study.study_prompts(pool.iloc[chosen.numpy()]))
        losses = tabular.fine_tune(
            llm, weights, examples, y.to(llm.device), steps=steps, **settings
        )
        tuned_live = tabular.predict(llm, cached)
    print(
        f"{sum(w.numel() for w in weights):,} weights trained, loss {losses[0]:.2f} → {losses[-1]:.2f}"
    )
    print(f"AUC on {live} rows: {roc_auc(zero_live, some):.3f} → {roc_auc(tuned_live, some):.3f}")
found = [f"{auc:.3f}" for auc in stored.aucs("lora", 16, labels)]
print(f"stored, 500 rows, every seed: {', '.join(found) or 'not there yet'}")

# %% [markdown]
# **The slide's fifth row** (42 years, Master, gain 594): before and after the tuning. The slide gives
# no answer.

# %%
if llm:
    fifth = [build_prompt(tabular.natural_sentence(slide.iloc[4].to_dict()), gap="\n")]
    after = llm.p_yes(fifth).item()
    tabular.remove_adapters(llm.network)
    print(
        f"p(Yes) of the fifth row: {llm.p_yes(fifth).item():.3f} before, {after:.3f} after tuning"
    )
else:
    print("The fifth row needs the model: its p(Yes) was not stored.")

# %% [markdown]
# ## 1.9 AUC against k, beside honest baselines
# For each of five seeds all methods are trained on the *same* rows, and the 4 rows lie within the 16,
# these within the 64, and these within the 256:
# - logistic regression (LR) and gradient boosting on one-hot columns, computed here;
# - the language model, tuned with LoRA or (16 rows only) IA3, stored;
# - LR on frozen features of the language model (its hidden state below the top six layers, at the
#   prompt's last token), and on a sentence embedding (the mean of these states over all tokens), both
#   stored;
# - a hybrid, LR on one-hot columns that *starts from* the zero-shot logit, the language model as a prior:
#   $\operatorname{logit} p = z + w^\top x + c$, with $z$ the standardised zero-shot logit of a row, $x$ its
#   one-hot columns, and $w$, $c$ fitted, stored.
#
# Steps and learning rates of the tuning were chosen on 300 rows of the pool, the prompt on 140 rows
# outside of it; no held-out row had a say. LR and boosting have their library's settings, but boosting's
# leaves may be small enough for a split.
#
# **Predict:** from how many rows on is the language model no longer worth it?

# %%
features, features_test = (tabular.encode_frame(t, pool) for t in (pool, test))
samples = {seed: study.nested_sample(pool_labels, seed) for seed in study.SEEDS}
fits = {"LR": tabular.logistic_regression, "boosting": tabular.gradient_boosting}
everything = {
    f"one-hot {name}": {
        k: [
            roc_auc(fit(features[rows[k]], pool_labels[rows[k]], features_test), labels).item()
            for rows in samples.values()
        ]
        for k in study.SHOTS
    }
    for name, fit in fits.items()
}

# %%
names = {
    "LLM, LoRA": "lora",
    "LLM, IA3": "ia3",
    "LR on frozen LLM features": "features",
    "LR on sentence embeddings": "embedding",
    "one-hot LR from the LLM's prior": "prior",
}
everything |= {
    f"{label} (stored)": {
        k: [roc_auc(stored.scores[f"{method}/{k}/{seed}"], labels).item() for seed in study.SEEDS]
        for k in study.SHOTS
        if f"{method}/{k}/{study.SEEDS[0]}" in stored.scores
    }
    for label, method in names.items()
}

# %%
lines = {n: (list(c), [float(np.mean(a)) for a in c.values()]) for n, c in everything.items()}
alone = roc_auc(zero, labels).item()
for name in ("LLM, LoRA (stored)", "one-hot LR from the LLM's prior (stored)"):
    lines[name] = tuple([first, *rest] for first, rest in zip((1, alone), lines[name], strict=True))
if llm:
    lines["LLM, LoRA, live rows"] = (
        [1, 16],
        [float(roc_auc(p, some)) for p in (zero_live, tuned_live)],
    )
viz.line_chart(
    lines,
    x="labelled rows k (zero-shot drawn at 1)",
    y="AUC on held-out rows",
    log_x=True,
    alt="The language model begins at 0.75 without any row; the others rise with the rows.",
)


# %%
def spread(values):
    """Mean ± standard deviation, as text; of a single value the value alone."""
    deviation = f" ± {np.std(values):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{deviation}" if len(values) else "–"


caption = f"AUC: mean ± deviation over {len(study.SEEDS)} draws of the rows"
columns = ["method", *(f"k = {k}" for k in study.SHOTS)]
viz.table(
    [[name, *(spread(c.get(k, [])) for k in study.SHOTS)] for name, c in everything.items()],
    columns,
    caption,
)
base = everything["one-hot LR"]
gaps = {
    name: {k: np.subtract(curve[k], base[k]) for k in curve}
    for name, curve in everything.items()
    if curve is not base
}
viz.table(
    [[name, *(spread(gap.get(k, [])) for k in study.SHOTS)] for name, gap in gaps.items()],
    columns,
    "The same less the AUC of one-hot LR on the same rows (paired)",
)

# %% [markdown]
# Five draws are few. The zero-shot scores of 2,000 rows of the pool are stored, too, so the hybrid can
# be fitted to as many draws of them as one likes:

# %%
opinion = torch.logit(stored.scores["pool/0/0"].double(), eps=1e-9).float()
opinion_test = torch.logit(zero.double(), eps=1e-9).float()


def gain_of_the_prior(k, seed):
    """AUC of the hybrid less that of one-hot LR, both fitted to the same k rows."""
    g = torch.Generator().manual_seed(seed)
    rows = balanced_sample(pool_labels[: len(opinion)], k, generator=g)
    x, y = features[rows], pool_labels[rows]
    hybrid = tabular.with_prior(x, y, features_test, opinion[rows], opinion_test)
    plain = tabular.logistic_regression(x, y, features_test)
    return (roc_auc(hybrid, labels) - roc_auc(plain, labels)).item()


draws = int(budget(20, 3))
for k in study.SHOTS:
    gains = np.array([gain_of_the_prior(k, seed) for seed in range(draws)])
    print(f"k = {k:3d}: {spread(gains)}, above 0 in {(gains > 0).sum()} of {draws} draws")

# %% [markdown]
# *What to see:* of all that uses the language model, the *prior* has the highest means in the table.
# With 4 and with 16 rows the hybrid is ahead of one-hot LR on these held-out rows in most draws, and
# with 4 rows it gains most on average; with 64 rows little is left of the gain, with 256 nothing. The
# model tuned with *LoRA* does not keep up: with 4 rows it was ahead of one-hot LR on three draws of
# five, from 16 rows on behind on all five. On average boosting is behind LR at all these sizes.
#
# ### Tabular deep learning, and pretraining without text
# *Slide: pretraining, tabular DL.* A language model is not the only thing that can be pretrained. A
# small network gives every feature a vector of its own, an **embedding**: a number times a learned
# vector plus another, or a learned vector for each category (Gorishniy et al., 2021), and joins them by
# two layers. To **pretrain** it, hide about three in ten features of each row and let it guess them from
# the rest. That needs no labels, so all rows of the pool can be used. *Time: about 20 s on two CPU
# cores, with the fits.*

# %%
from course_lib.tabular.network import FeatureNetwork, coded

numbers, codes, sizes = coded(pool, pool)
numbers_test, codes_test, _ = coded(test, pool)


# %%
def pretrained(seed):
    """A network that has learned to guess hidden features of the pool's rows."""
    torch.manual_seed(seed)
    network = FeatureNetwork(numbers.shape[1], sizes)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in Budget(budget(1500, 10), seconds=40, label="pretraining"):
        some_rows = torch.randint(0, len(numbers), (256,))
        hidden = torch.rand(256, numbers.shape[1] + len(sizes)) < 0.3
        loss = network.hidden_loss(numbers[some_rows], codes[some_rows], hidden)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.state_dict()


# %%
def tuned_network(rows, seed, state=None):
    """p of the held-out rows from a network that is trained on `rows`, starting from `state`."""
    torch.manual_seed(seed)
    network = FeatureNetwork(numbers.shape[1], sizes)
    network.load_state_dict(state or network.state_dict())
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for _ in range(budget(100, 3)):
        batch = rows[torch.randperm(len(rows))[:64]]
        logits = network.head(network(numbers[batch], codes[batch]))[:, 0]
        y = pool_labels[batch].float()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return network.eval().head(network(numbers_test, codes_test))[:, 0].sigmoid()


# %%
state = pretrained(0)
networks = {
    name: {
        k: [
            roc_auc(tuned_network(rows[k], seed, start), labels).item()
            for seed, rows in samples.items()
        ]
        for k in study.SHOTS
    }
    for name, start in {"network from scratch": None, "network, pretrained": state}.items()
}
prior = "one-hot LR from the LLM's prior (stored)"
beside = networks | {name: everything[name] for name in ("one-hot LR", "one-hot boosting", prior)}
viz.table(
    [[name, *(spread(curve[k]) for k in study.SHOTS)] for name, curve in beside.items()],
    columns,
    caption,
)

# %% [markdown]
# *What to see:* from scratch the network is on average about as good as LR, or worse. Pretrained on the
# unlabelled rows it is clearly better with 16 labels than from scratch, and ahead of LR in most draws;
# with 4 labels the draws differ so much that five of them tell little. LR from the language model's
# prior is within 0.01 of it in this table at every size, but the network has never read a text: it only
# knows which features go together. The language model needs no rows at all for its knowledge; this
# network saw 7,641. (TabPFN, Hollmann et al., 2025, goes a third way: a transformer pretrained on
# millions of *made-up* tables, which takes the labelled rows as its input. Its weights are not part of
# this course.)
#
# ## 1.10 Class balance, prior, calibration
# AUC ignores the *level* of p(Yes). To act on a probability it must be **calibrated**: of the rows with
# p near 0.3, three in ten should be positive. A model tuned on balanced shots has seen as many positives
# as negatives ($\pi = 0.5$), in truth $\pi' = 0.24$. Bayes' rule turns its $p$ into $p'$:
# $$\frac{p'}{1 - p'} = \frac{p}{1 - p} \cdot \frac{\pi' / (1 - \pi')}{\pi / (1 - \pi)}.$$
# The order of the rows, and so the AUC, stays. The *calibration error* below is the gap between the mean
# p(Yes) and the share of positives in a tenth of its range, averaged over the rows.

# %%
most, actual = 64, pool_labels.float().mean().item()
runs = [stored.scores[f"lora/{most}/{seed}"] for seed in study.SEEDS]
tuned, *_ = runs
moved = [tabular.shift_prior(p, trained=0.5, actual=actual) for p in runs]
shifted, *_ = moved


def mean_of(measure, scores):
    return spread([float(measure(p)) for p in scores])


# %%
viz.table(
    [
        [
            name,
            mean_of(lambda p: roc_auc(p, labels), scores),
            mean_of(lambda p: p.mean(), scores),
            mean_of(lambda p: tabular.calibration_error(p, labels), scores),
        ]
        for name, scores in {
            "zero-shot": [zero],
            f"LoRA, {most} shots": runs,
            "the same, shifted": moved,
        }.items()
    ],
    ["scores", "AUC", "mean p", "calibration error"],
    f"{labels.float().mean():.0%} of the rows are positive; mean ± deviation over {len(runs)} draws",
)

# %%
bins = {"perfect": ([0, 1], [0, 1])}
for name, p in {"zero-shot": zero, "tuned": tuned, "tuned, shifted": shifted}.items():
    mean, share, _ = zip(*tabular.calibration(p, labels), strict=True)
    bins[name] = (mean, share)
viz.line_chart(
    bins,
    x="mean p(Yes) of a bin",
    y="share of positives",
    alt="Of each bin the share of positives against the mean p(Yes) of one draw, beside the diagonal.",
)

# %% [markdown]
# *What to see:* the zero-shot p(Yes) cannot be read as a probability: its mean is 0.59, and its curve
# lies far below the diagonal. Tuning on 64 rows brought the calibration error down on each of the
# five draws, and the shift of the prior once more; how far depends on the draw (the chart shows the
# first).
#
# ## 1.11 What TabLLM reported
# With T0 of 11 billion weights, the authors found the text template best, zero-shot classification
# better than chance on most data sets, and few-shot results that compete with gradient-boosted trees,
# above all with very few rows (the paper's abstract and figure 3). Do not compare our numbers with
# theirs: the model is 80 times smaller, the templates, the rows, the sampling and the tuning differ, and
# what their code calls validation are the rows that it reports on.
#
# > **What such a classifier must not be used for.** These are real people of 1994. A language model's
# > "prior knowledge" about income is also knowledge of who was paid badly: it may hold sex, race, origin
# > and marital status against people, and leaving out a column may help little where other columns tell.
# > Do not use it to decide on credit, rent, jobs or benefits: judging people by their sex, race or origin
# > is illegal in many countries, a single decision is hard to explain, and a model with AUC 0.8 is wrong
# > about one in five pairs. Measure error rates by group before you believe any average.

# %%
groups, p = [], tuned
for sex in ("Female", "Male"):
    rows = torch.tensor((test["Sex"] == sex).tolist())
    poor, rich = rows & (labels == 0), rows & (labels == 1)
    flagged = p > p.quantile(0.76)  # as many Yes as there are positives
    groups.append(
        [
            sex,
            int(rows.sum()),
            labels[rows].float().mean().item(),
            flagged[poor].float().mean().item(),
            (~flagged)[rich].float().mean().item(),
        ]
    )
viz.table(
    groups,
    ["group", "rows", "earn > 50K", "wrongly called rich", "wrongly called poor"],
    f"Errors by group (LoRA, {most} shots, the highest 24% called rich)",
)

# %% [markdown]
# ## 1.12 Bridge: a point cloud as text
# If a row can be text, so can a shape: one line per point. The next notebooks do not do that. Why?

# %%
from course_lib import meshes

points, _ = meshes.sample_surface(meshes.torus(), 8, generator=torch.Generator().manual_seed(0))
lines = ["{:.2f} {:.2f} {:.2f}".format(*point) for point in points.tolist()]
order = torch.randperm(8, generator=torch.Generator().manual_seed(1)).tolist()
two_orders = ["\n".join(lines), "\n".join(lines[i] for i in order)]
print(two_orders[0])
if llm:
    first, second = (llm.tokens(text) for text in two_orders)
    same = sum(a == b for a, b in zip(first, second, strict=False)) / len(first)
    states = [
        llm.next_token_logits([text + "\n\nThis shape is a"])[0].softmax(0) for text in two_orders
    ]
    print(
        f"\n{len(first)} tokens for 8 points; {same:.0%} of them stay in place\nwhen lines are shuffled,"
    )
    print(
        f"and the next word's distribution moves by {(states[0] - states[1]).abs().sum() / 2:.2f} (0 to 1)"
    )
print(
    "the set of points is the same:",
    set(two_orders[0].splitlines()) == set(two_orders[1].splitlines()),
)

# %% [markdown]
# *What to see:* about fifteen tokens for every point, so a cloud of 2,000 points does not fit into this
# model's 8,192; another order of the lines is another text of the *same* shape, up to 2,000! of them;
# and distances between numbers are not distances between tokens. A set needs a network whose answer does
# not depend on the order: that is where [notebook 2](02_why_3d.ipynb) begins.
#
# Where do you stand?

# %%
progress()

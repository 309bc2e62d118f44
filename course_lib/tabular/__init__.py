"""Tabular data as text: rows, encodings, serialisation, prompts, a language model, and baselines."""

from course_lib.tabular.adapters import IA3Linear, LoRALinear, add_ia3, add_lora, remove_adapters
from course_lib.tabular.baselines import (
    gradient_boosting,
    logistic_regression,
    on_features,
    with_prior,
)
from course_lib.tabular.cache import cache_folder
from course_lib.tabular.encodings import encode_frame, encode_ordinal, one_hot, ordinal, standardise
from course_lib.tabular.features import Cached, answer_logits, cache_features
from course_lib.tabular.finetune import fine_tune, predict
from course_lib.tabular.llm import LanguageModel, ModelUnavailable, load_llm
from course_lib.tabular.prompt import QUESTION, build_prompt
from course_lib.tabular.rows import fetch_adult, load_adult, slide_table, split
from course_lib.tabular.sampling import balanced_sample
from course_lib.tabular.scoring import (
    calibration,
    calibration_error,
    choice_probability,
    length_normalised,
    roc_auc,
    shift_prior,
)
from course_lib.tabular.sentence import natural_sentence
from course_lib.tabular.serialise import (
    ValuePermutation,
    known_values,
    list_template,
    permuted_names,
    serialise,
    short_list,
    text_template,
    values_only,
)

"""Jobs that train without labels: SimCSE, and what is added to it."""

import json
import shutil
from pathlib import Path

import torch
from torch import nn
from transformers import BertConfig, BertForMaskedLM, BertModel

from .base_model import base_model
from .common import Contender, Job, Unavailable
from .tokens import load_tokenizer, padded
from .train import examples_per_second, gradus_rate, parameter_groups

# Unsupervised SimCSE as Gao et al. (2021) trained BERT-base.
RATE = 3e-5
BATCH = 64
MAX_TOKENS = 32
TEMPERATURE = 0.05
CLIP = 1.0
DROPOUT = 0.1

# Steps before the measured ones, and these.
STEPS = (10, 50)
BASE_STEPS = (2, 5)

# So many that no step meets a sentence of another.
SENTENCES = BATCH * (sum(STEPS) + 1)

RECIPE = """\
model = {model}
pooling = "cls"
max_tokens = {max_tokens}
seed = 1
log_every = {warm}
checkpoint_seconds = 1000000

[[stage]]
name = "simcse"
objective = {{ loss = "info_nce", temperature = {temperature} }}
projection = "{projection}"
{more}
train = [{{ path = {text}, rows = "texts" }}]
steps = {steps}
batch = {batch}
learning_rate = {rate}
schedule = "constant"
weight_decay = 0.0
dropout = {dropout}
clip = {clip}
"""


class SimCse(nn.Module):
    """The first token's vector and an MLP, as SimCSE trains."""

    def __init__(self, folder):
        super().__init__()
        self.bert = BertModel.from_pretrained(
            folder,
            add_pooling_layer=False,
            dtype=torch.float32,
            hidden_dropout_prob=DROPOUT,
            attention_probs_dropout_prob=DROPOUT,
        )
        width = self.bert.config.hidden_size
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.Tanh())

    def forward(self, ids, mask):
        hidden = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state
        return self.mlp(hidden[:, 0]).float()


class Trainer:
    """SimCSE's loop in plain PyTorch; texts are tokenised beforehand."""

    batch = BATCH

    def __init__(self, folder, sentences, half):
        torch.manual_seed(1)
        self.model, self.half = SimCse(folder).train(), half
        groups = [group | {"weight_decay": 0.0} for group in parameter_groups(self.model, RATE)]
        self.optimizer = torch.optim.AdamW(groups, fused=True)
        tokenizer = load_tokenizer(folder, MAX_TOKENS)
        self.ids = [e.ids for e in tokenizer.encode_batch_fast(sentences)]
        self.at = 0

    def step(self):
        if self.at + BATCH > len(self.ids):
            self.at = 0
        some = self.ids[self.at : self.at + BATCH]
        self.at += BATCH
        ids, mask = map(torch.from_numpy, padded(some + some))
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.half):
            vectors = self.model(ids, mask)
        first, second = nn.functional.normalize(vectors, dim=1).chunk(2)
        logits = first @ second.T / TEMPERATURE
        loss = nn.functional.cross_entropy(logits, torch.arange(len(logits)))
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        return loss


def wiki_sentences(setup):
    """The first sentences of the data folder's file of Wikipedia."""
    path = setup.data / "wiki" / "sentences.txt"
    if not path.is_file():
        raise Unavailable(f"{path} is not there")
    with path.open(encoding="utf-8") as file:
        return [line.strip() for line, _ in zip(file, range(SENTENCES))]


def recipe(setup, model, steps, projection="mlp", more=""):
    text = setup.text("wiki", wiki_sentences(setup))
    warm, measured = steps
    return RECIPE.format(
        model=json.dumps(model),
        text=json.dumps(str(text)),
        max_tokens=MAX_TOKENS,
        warm=warm,
        steps=warm + measured,
        batch=BATCH,
        temperature=TEMPERATURE,
        projection=projection,
        more=more,
        rate=RATE,
        dropout=DROPOUT,
        clip=CLIP,
    )


def ours(setup, text, name="gradus bf16"):
    _, options = setup.gradus.precision("bf16")
    return Contender(name, lambda: gradus_rate(setup, text, BATCH, options))


def pytorch(setup, model, steps, half):
    trainer = Trainer(model, wiki_sentences(setup), half)
    name = "PyTorch bf16 autocast" if half else "PyTorch f32"
    return Contender(name, lambda: examples_per_second(trainer, *steps))


def simcse(setup):
    peers = [pytorch(setup, setup.model, STEPS, half) for half in (False, True)]
    text = recipe(setup, setup.model, STEPS)
    return Job("simcse", "texts/s", ours(setup, text), peers)


def base_simcse(setup):
    model = base_model(setup)
    peers = [pytorch(setup, model, BASE_STEPS, half) for half in (False, True)]
    text = recipe(setup, model, BASE_STEPS)
    return Job("base-simcse", "texts/s", ours(setup, text), peers)


def ranking(setup):
    """What ranking distillation costs once the teacher's vectors are there."""
    also = 'also = [{ loss = "consistency" }, { loss = "list_mle" }]\n'
    teachers = f"teachers = [{{ model = {json.dumps(setup.model)} }}]"
    with_ranking = recipe(setup, setup.model, STEPS, more=also + teachers)
    plain = ours(setup, recipe(setup, setup.model, STEPS), "gradus without it")
    return Job("ranking", "texts/s", ours(setup, with_ranking), [plain])


def generator(setup):
    """A masked language model of half the layers, with random weights."""
    folder = setup.folder / "generator"
    if not folder.exists():
        folder.mkdir()
        for path in Path(setup.model).glob("token*"):
            shutil.copy(path, folder / path.name)
        config = BertConfig.from_pretrained(setup.model)
        config.num_hidden_layers = max(1, config.num_hidden_layers // 2)
        torch.manual_seed(1)
        BertForMaskedLM(config).save_pretrained(folder)
    return str(folder)


def difference(setup):
    """What difference prediction costs, with a generator of half the layers."""
    more = f"difference = {{ generator = {json.dumps(generator(setup))} }}"
    text = recipe(setup, setup.model, STEPS, projection="batch_norm", more=more)
    plain = ours(setup, recipe(setup, setup.model, STEPS), "gradus without it")
    return Job("difference", "texts/s", ours(setup, text), [plain])


JOBS = {
    "simcse": simcse,
    "base-simcse": base_simcse,
    "ranking": ranking,
    "difference": difference,
}

"""Word tokenizers of the miniature's text models, in the Hub's tokenizer format."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from tools.miniature.scenes import CLUTTER, COLOURS, COUNTS, GROUNDS, LIGHTS, OBJECTS
from tools.miniature.wide import STYLES

_WORDS = ("a", "an", "on", "with", "light", "from", "the", ",", "striped", "plain", "photo", "of")
_FACTS = (*COUNTS, *OBJECTS, *COLOURS, *GROUNDS, *CLUTTER, *LIGHTS)
#: The words of the photographs' captions, and those of the wider world's captions, which also name styles.
PHOTO_WORDS, WIDE_WORDS = (*_WORDS, *_FACTS), (*_WORDS, *_FACTS, *STYLES)


def word_tokenizer(
    words: Sequence[str],
    length: int,
    begin: str,
    end: str,
    pad: str,
    special: Sequence[str] = (),
    closed: bool = True,
) -> PreTrainedTokenizerFast:
    """One token per word, after ``begin`` and, if ``closed``, before ``end``; special tokens have the first ids."""
    special_tokens = tuple(dict.fromkeys((begin, end, pad, "<unk>", *special)))
    vocabulary = {word: index for index, word in enumerate(dict.fromkeys((*special_tokens, *words)))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}" if closed else f"{begin} $A",
        special_tokens=[(begin, vocabulary[begin]), (end, vocabulary[end])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=begin,
        eos_token=end,
        pad_token=pad,
        unk_token="<unk>",
        model_max_length=length,
        clean_up_tokenization_spaces=False,
    )


def tokenize(tokenizer: PreTrainedTokenizerFast, texts: list[str], length: int) -> torch.Tensor:
    """Token ids int64 [N, length], padded and truncated."""
    encoded = tokenizer(texts, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
    ids: torch.Tensor = encoded.input_ids
    return ids

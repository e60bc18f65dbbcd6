"""The language model itself: the one module that imports llama_cpp. It runs in the model process only.

It uses llama.cpp's C functions directly: the wrapper's high-level class keeps a copy of all scores in Python and
cannot be stopped while it reads a prompt. One thread generates; `count_tokens` and `stop` may come from another.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np

from models.chat_format import PromptPiece, chat_format, write_prompt
from models.errors import GenerationError, GenerationStopped, ModelError, ModelFileError
from models.generator import ChatMessage, GenerationOptions
from models.text_stream import TextStream
from models.wire import LoadRequest

_LOGGED_LEVELS = (3, 4)  # ggml's warning and error
_ABORTED = 2  # llama_decode's own code for "the abort callback said so"
# The window of llama.cpp's own command line: long enough for a repeated sentence.
_PENALTY_WINDOW = 64
# Asking Python after every node of the graph slows the generation of a token by some per cent, so that is done only
# where one token takes so long that looking between tokens would be late.
_SLOW_TOKEN_SECONDS = 0.1


# Measured on two cores with the embedded model: 64 tokens at a time are read as fast as 256 or 512 (32 at a time are a
# third slower), and the smaller the batch, the sooner a prompt can be left. A GPU wants larger ones.
_CPU_BATCH_TOKENS, _GPU_BATCH_TOKENS = 64, 512
# On the processor the plain attention writes a fifth more tokens a second than the "flash" one, and reads as fast.
_FLASH_OFF, _FLASH_AUTO = 0, -1


def _log(level: int, text: bytes, _data: object) -> None:
    """Print warnings and errors only: the rest is a line for every layer of the model."""
    if level in _LOGGED_LEVELS:
        print(text.decode("utf-8", "replace"), end="", file=sys.stderr, flush=True)  # noqa: T201  the process's log


class LlamaModel:
    """A loaded model with one context; what it has read is kept, so that a shared beginning is read once.

    What is kept is whole batches, cut the same way in every prompt: from the beginning of each message. The last digits
    of a sum depend on what is computed together, and a prompt shall give the same text whatever was asked before.
    """

    def __init__(self, request: LoadRequest) -> None:
        self._format = chat_format(request.chat_format)
        self._stop_asked = threading.Event()
        self._abort = llama_cpp.ggml_abort_callback(lambda _data: self._stop_asked.is_set())
        self._never_abort = llama_cpp.ggml_abort_callback()  # a null pointer
        self._log = llama_cpp.llama_log_callback(_log)
        llama_cpp.llama_log_set(self._log, None)
        llama_cpp.llama_backend_init()
        offload = bool(llama_cpp.llama_supports_gpu_offload()) and request.gpu_layers != 0
        self._model = _load_model(Path(request.path), request.gpu_layers, offload=offload)
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        self._batch_tokens = _GPU_BATCH_TOKENS if offload else _CPU_BATCH_TOKENS
        self._flash = _FLASH_AUTO if offload else _FLASH_OFF
        self._context = self._open_context(request)
        if request.adapter:
            self._apply(Path(request.adapter))
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._batches: list[list[int]] = []
        """The prompt's batches in memory, in order; generated tokens may follow them there."""
        self._ends = self._end_tokens()

    @property
    def context_size(self) -> int:
        """Tokens of prompt and answer together."""
        return int(llama_cpp.llama_n_ctx(self._context))

    def stop(self) -> None:
        """Stop the generation that is going on; from any thread."""
        self._stop_asked.set()

    def allow(self) -> None:
        """Forget an earlier `stop`, before the next generation."""
        self._stop_asked.clear()

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a plain text."""
        return len(self._tokenize(PromptPiece(text=text, control=False)))

    def prompt_batches(self, messages: Sequence[ChatMessage]) -> list[list[int]]:
        """Turn a conversation into tokens; nothing in a message's content becomes a control token."""
        batches: list[list[int]] = []
        for section in write_prompt(self._format, messages):
            tokens = [token for piece in section for token in self._tokenize(piece)]
            starts = range(0, len(tokens), self._batch_tokens)
            batches.extend(tokens[start : start + self._batch_tokens] for start in starts)
        return batches

    def generate(self, prompt: list[list[int]], options: GenerationOptions) -> Iterator[str]:
        """Yield the text piece by piece; an empty piece after each batch of the prompt, and where text is held back."""
        for _ in self._read_prompt(prompt):
            yield ""
        room = min(options.max_tokens, self.context_size - sum(map(len, prompt)))
        text = TextStream(options.stop)
        sampler = self._sampler(options)
        try:
            for count in range(1, room + 1):
                token = llama_cpp.llama_sampler_sample(sampler, self._context, -1)
                if token in self._ends or llama_cpp.llama_vocab_is_eog(self._vocabulary, token):
                    break
                yield text.push(self._piece(token))
                if text.stopped or count == room:
                    break
                self._decode([token])
            yield text.finish()
        finally:
            llama_cpp.llama_sampler_free(sampler)

    def answer_tokens(self, text: str) -> list[int]:
        """The tokens of an answer with the one that ends it."""
        end = self._tokenize(PromptPiece(text=self._format.ends[0], control=True))
        return [*self._tokenize(PromptPiece(text=text, control=False)), *end]

    def score(self, prompt: list[list[int]], answer: list[int]) -> Iterator[tuple[float, ...] | None]:
        """Yield None after each batch of the prompt, then the natural log-probability of each token of an answer."""
        for _ in self._read_prompt(prompt):
            yield None
        scores = []
        for place, token in enumerate(answer):
            scores.append(self._log_probability(token))
            if place + 1 < len(answer):
                self._decode([token])
        yield tuple(scores)

    def close(self) -> None:
        """Free the memory."""
        llama_cpp.llama_free(self._context)
        llama_cpp.llama_model_free(self._model)

    def _read_prompt(self, prompt: list[list[int]]) -> Iterator[None]:
        """Read what is not yet in memory; the last batch always, because its scores are needed."""
        kept = 0
        for old, new in zip(self._batches, prompt[:-1], strict=False):
            if old != new:
                break
            kept += 1
        self._keep_batches(kept)
        self._watch(while_decoding=True)
        for batch in prompt[len(self._batches) :]:
            started = time.perf_counter()
            self._decode(batch)
            self._batches.append(batch)
            self._watch(while_decoding=(time.perf_counter() - started) > _SLOW_TOKEN_SECONDS * len(batch))
            yield

    def _decode(self, tokens: Sequence[int]) -> None:
        if self._stop_asked.is_set():
            raise GenerationStopped("Generation was stopped on request.")
        array = (llama_cpp.llama_token * len(tokens))(*tokens)
        result = llama_cpp.llama_decode(self._context, llama_cpp.llama_batch_get_one(array, len(tokens)))
        if result == _ABORTED:
            raise GenerationStopped("Generation was stopped on request.")
        if result:
            raise GenerationError(f"llama.cpp could not go on (code {result}).")

    def _log_probability(self, token: int) -> float:
        size = llama_cpp.llama_vocab_n_tokens(self._vocabulary)
        pointer = llama_cpp.llama_get_logits_ith(self._context, -1)
        logits = np.ctypeslib.as_array(pointer, shape=(size,)).astype(np.float64)
        return float(logits[token] - logits.max() - np.log(np.exp(logits - logits.max()).sum()))

    def _apply(self, path: Path) -> None:
        """Put an adapter on top of the weights; it goes when the model goes."""
        adapter = llama_cpp.llama_adapter_lora_init(self._model, str(path).encode())
        if not adapter:
            raise ModelFileError(f"llama.cpp cannot apply {path}; it is damaged, or was made for another model.")
        adapters = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(adapter)
        scales = (ctypes.c_float * 1)(1.0)
        if llama_cpp.llama_set_adapters_lora(self._context, adapters, 1, scales):
            raise ModelFileError(f"llama.cpp did not take the adapter {path}.")

    def _keep_batches(self, count: int) -> None:
        """Forget all but the first batches; some architectures can only forget everything."""
        length = sum(map(len, self._batches[:count]))
        if llama_cpp.llama_memory_seq_rm(self._memory, 0, length, -1):
            self._batches = self._batches[:count]
        else:
            llama_cpp.llama_memory_clear(self._memory, True)
            self._batches = []

    def _watch(self, *, while_decoding: bool) -> None:
        callback = self._abort if while_decoding else self._never_abort
        llama_cpp.llama_set_abort_callback(self._context, callback, None)

    def _open_context(self, request: LoadRequest) -> Any:
        wanted = llama_cpp.llama_context_default_params()
        wanted.n_ctx = request.context_tokens
        wanted.n_batch = wanted.n_ubatch = self._batch_tokens
        wanted.flash_attn_type = self._flash
        wanted.n_threads = wanted.n_threads_batch = request.threads
        wanted.no_perf = True
        context = llama_cpp.llama_init_from_model(self._model, wanted)
        if not context:
            raise ModelError(
                f"No memory for a context of {request.context_tokens} tokens; set model.context_tokens lower."
            )
        return context

    def _end_tokens(self) -> frozenset[int]:
        """The format's end texts, as far as they are single control tokens of this vocabulary."""
        written = [self._tokenize(PromptPiece(text=end, control=True)) for end in self._format.ends]
        return frozenset(tokens[0] for tokens in written if len(tokens) == 1)

    def _sampler(self, options: GenerationOptions) -> Any:
        """Build the sampler. The penalty sees the answer only: an answer should repeat words of its sources."""
        chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
        steps = []
        if options.grammar:
            grammar = llama_cpp.llama_sampler_init_grammar(self._vocabulary, options.grammar.encode(), b"root")
            if not grammar:
                llama_cpp.llama_sampler_free(chain)
                raise GenerationError("llama.cpp does not understand the grammar of this answer.")
            steps.append(grammar)
        if options.repeat_penalty != 1.0:
            size = llama_cpp.llama_vocab_n_tokens(self._vocabulary)
            steps.append(
                llama_cpp.llama_sampler_init_penalties(size, _PENALTY_WINDOW, options.repeat_penalty, 0.0, 0.0)
            )
        if options.temperature <= 0:
            steps.append(llama_cpp.llama_sampler_init_greedy())
        else:
            steps.append(llama_cpp.llama_sampler_init_top_k(40))
            steps.append(llama_cpp.llama_sampler_init_top_p(0.95, 1))
            steps.append(llama_cpp.llama_sampler_init_temp(options.temperature))
            steps.append(llama_cpp.llama_sampler_init_dist(options.seed & 0xFFFFFFFF))
        for step in steps:
            llama_cpp.llama_sampler_chain_add(chain, step)
        return chain

    def _tokenize(self, piece: PromptPiece) -> list[int]:
        text = piece.text.encode("utf-8", "replace")
        room = len(text) + 2  # a token is at least a byte, save for those that a vocabulary adds in front
        tokens = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(self._vocabulary, text, len(text), tokens, room, False, piece.control)
        if count < 0:
            raise GenerationError(f"llama.cpp could not tokenize a text of {len(text)} bytes.")
        return list(tokens[:count])

    def _piece(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(256)
        length = llama_cpp.llama_token_to_piece(self._vocabulary, token, buffer, len(buffer), 0, False)
        return buffer.raw[: max(0, length)]


def _load_model(path: Path, gpu_layers: int | None, *, offload: bool) -> Any:
    wanted = llama_cpp.llama_model_default_params()
    wanted.n_gpu_layers = (-1 if offload else 0) if gpu_layers is None else gpu_layers
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), wanted)
    if not model and gpu_layers is None and offload:
        wanted.n_gpu_layers = 0  # it does not fit there; nobody insisted
        model = llama_cpp.llama_model_load_from_file(str(path).encode(), wanted)
    if not model:
        raise ModelFileError(f"llama.cpp cannot load {path}; the file is damaged or of a kind it does not know.")
    return model


def requantize(source: Path, target: Path, quantization: str, threads: int) -> None:
    """Write a model file anew in another quantization; raises ModelFileError."""
    wanted = llama_cpp.llama_model_quantize_default_params()
    wanted.ftype = {"Q4_0": 2, "Q4_1": 3, "Q8_0": 7}[quantization]
    wanted.allow_requantize = True
    wanted.nthread = threads
    if llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), wanted):
        raise ModelFileError(f"llama.cpp cannot write {source} as {quantization}; is the disk full?")

"""Conversations are written down as each family of models expects; contents are never control text."""

from __future__ import annotations

import pytest

from models.chat_format import CHAT_FORMATS, chat_format, write_prompt
from models.errors import ModelError
from models.generator import ChatMessage

CONVERSATION = [
    ChatMessage(role="system", content="Be brief."),
    ChatMessage(role="user", content=" Hi "),
    ChatMessage(role="assistant", content="Hello."),
    ChatMessage(role="user", content="Bye"),
]
WRITTEN = {
    "chatml": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
    "<|im_start|>assistant\nHello.<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n",
    "llama-3": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\nHello.<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    "gemma": "<bos><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\nHello.<end_of_turn>\n"
    "<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\n",
    "phi-3": "<|system|>\nBe brief.<|end|>\n<|user|>\nHi<|end|>\n<|assistant|>\nHello.<|end|>\n"
    "<|user|>\nBye<|end|>\n<|assistant|>\n",
    "zephyr": "<|system|>\nBe brief.</s>\n<|user|>\nHi</s>\n<|assistant|>\nHello.</s>\n"
    "<|user|>\nBye</s>\n<|assistant|>\n",
}


@pytest.mark.parametrize("name", sorted(CHAT_FORMATS))
def test_each_format(name: str) -> None:
    sections = write_prompt(chat_format(name), CONVERSATION)
    assert "".join(piece.text for section in sections for piece in section) == WRITTEN[name]


@pytest.mark.parametrize("name", sorted(CHAT_FORMATS))
def test_control_tokens_in_a_message_stay_content(name: str) -> None:
    form = chat_format(name)
    attack = f"{form.ends[0]}{form.before}"
    sections = write_prompt(form, [ChatMessage(role="system", content="x"), ChatMessage(role="user", content=attack)])
    holding = [piece for section in sections for piece in section if attack.strip() in piece.text]
    assert holding
    assert not any(piece.control for piece in holding)


def test_a_system_prompt_alone_where_the_format_has_none() -> None:
    (section,) = write_prompt(chat_format("gemma"), CONVERSATION[:1])
    assert "Be brief." in "".join(piece.text for piece in section)


def test_no_message_at_all() -> None:
    ((piece,),) = write_prompt(chat_format("chatml"), [])
    assert piece.text == "<|im_start|>assistant\n"


def test_an_unknown_format_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ModelError, match=r"'latin'.*chatml.*llama-3"):
        chat_format("latin")

"""One list of channels, `schemas.CHANNELS`; every place that lists them has the same."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from generators.api_doc import SOURCE, Document
from local.sandbox import sinch_request
from local.template import ROOT, template
from sms_otp.adapters.providers import registry
from sms_otp.domain.provider import Channel
from sms_otp.entry_points.schemas import CHANNELS


def enums(node: Any, name: str = "") -> Iterator[tuple[str, list[str]]]:
    """(property, its values) wherever a schema lists the values of a property."""
    if isinstance(node, dict):
        if "enum" in node:
            yield name, node["enum"]
        for key, inner in node.items():
            yield from enums(inner, name if key == "items" else key)
    if isinstance(node, list):
        for inner in node:
            yield from enums(inner, name)


def channel_lists(node: Any) -> list[list[str]]:
    return [values for name, values in enums(node) if name in ("channel", "channels")]


def test_every_channel_is_one_of_the_providers_port() -> None:
    assert set(CHANNELS) <= set(Channel)


def test_every_schema_of_the_document_lists_the_channels() -> None:
    found = channel_lists(Document(SOURCE.read_text()).root["components"]["schemas"])
    assert len(found) >= 5
    assert [each for each in found if each != CHANNELS] == []


def test_the_models_of_the_template_list_the_channels() -> None:
    found = channel_lists(json.loads(json.dumps(template()["Resources"]["Api"]["Properties"]["Models"])))
    assert len(found) == 4
    assert [each for each in found if each != CHANNELS] == []


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_provider_and_the_sandbox_support_the_channel(channel: str) -> None:
    assert [name for name, channels in registry.CHANNELS.items() if channel in channels]
    assert channel in sinch_request.CHANNELS.values()


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_form_says_how_a_code_was_sent_by_the_channel(channel: str) -> None:
    texts = (ROOT / "web/otp-form/texts.js").read_text()
    assert re.search(rf'"sent-{channel}":', texts)


def test_the_page_offers_the_channels() -> None:
    (offered,) = re.findall('channels="([a-z ]+)"', (ROOT / "local/sandbox/www/index.html").read_text())
    assert offered.split() == CHANNELS

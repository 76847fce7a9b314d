"""The README of `<otp-form>`, followed in an empty folder: page, backend, React, types."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from local.processes import Child, free_port
from local.sandbox.server import running_sandbox
from local.template import ROOT
from tests.browser.conftest import CODE, NUMBER, button, code, number
from tests.chromium import accessibility_problems, overflow, watched
from tests.examples import BIN, EXAMPLES, wait_for
from tests.stand_in import stand_in

pytestmark = pytest.mark.long

FORM = ROOT / "web/otp-form"
README = (FORM / "README.md").read_text()
WEB_PACKAGES = Path(sys.prefix) / "web/node_modules"
TYPE_CHECK = {
    "compilerOptions": {
        "strict": True,
        "noEmit": True,
        "jsx": "react-jsx",
        "module": "esnext",
        "moduleResolution": "bundler",
        "target": "es2022",
        "lib": ["es2022", "dom"],
        "types": [],
        "allowImportingTsExtensions": True,
    },
    "files": ["VerifyPhone.tsx", "plain.ts"],
}
PLAIN = """
import "./otp-form/otp-form.js";
import { meetWithAltcha } from "./otp-form/altcha.js";
import type { OtpForm, OtpSession } from "./otp-form/otp-form.js";
import * as phoneLibrary from "libphonenumber-js/min";

const form: OtpForm = document.querySelector("otp-form")!;
const session: OtpSession = { step: "code", phoneNumber: "+14155550123", channel: "sms" };
form.phoneLibrary = phoneLibrary;
form.session = session;
form.addEventListener("otp-error", ({ detail }) => detail.errorCode.toLowerCase());
form.addEventListener("challenge-required", ({ detail }) => form.passChallenge(detail.errorCode));
meetWithAltcha(form, { widget: "/altcha", challenge: "/challenge" });
// @ts-expect-error a challenge has a route
meetWithAltcha(form, { widget: "/altcha" });
// @ts-expect-error there is no such step
form.session = { step: "elsewhere" };
// @ts-expect-error a code is a text
form.fill(123456);
"""
REACT = """
import { createRoot } from "react-dom/client";
import { VerifyPhone } from "./VerifyPhone";
createRoot(document.querySelector("main")!).render(
  <VerifyPhone onVerified={() => (document.title = "Verified")} />,
);
"""


def block(language: str, within: str = "In fifteen minutes") -> str:
    """The first fenced block of that language from this heading on."""
    text = README.split(f"\n## {within}\n")[1]
    (first, *_) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return str(first)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder after the README's `cp` and `npm install`, with its two files pasted."""
    empty = tmp_path_factory.mktemp("pasted")
    shutil.copytree(FORM, empty / "otp-form")
    packages = empty / "node_modules"
    packages.mkdir()
    for installed in (*(EXAMPLES / "express/node_modules").iterdir(), *WEB_PACKAGES.iterdir()):
        if not installed.name.startswith("."):
            (packages / installed.name).symlink_to(installed)
    (empty / "index.html").write_text(block("html"))
    (empty / "server.mjs").write_text(block("js"))
    return empty


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """The URL of the pasted backend, which calls a stand-in of the service."""
    port = free_port("127.0.0.1")
    server = folder / "on-a-free-port.mjs"
    server.write_text(block("js").replace("3000", str(port)))
    with running_sandbox(app=stand_in()) as api:
        environment = {"PATH": os.environ["PATH"], "API": api, "KEY": "a-key"}
        command = [str(BIN / "node"), server.name]
        with Child("The backend", command, environment, folder / "log", folder) as child:
            address = f"http://127.0.0.1:{port}"
            wait_for(child, address)
            yield address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page on a phone."""
    with watched(browser, viewport={"width": 360, "height": 740}) as page:
        page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
        yield page


def test_the_pasted_page_and_backend_verify_a_user(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.get_by_label("Country")).to_have_value("GB")
    assert (overflow(page), accessibility_problems(page)) == (0, [])
    number(page).fill(NUMBER)
    button(page, "Text me a code").click()
    expect(code(page)).to_be_focused()
    before = page.context.cookies()
    page.reload()
    expect(code(page)).to_be_visible()
    code(page).focus()
    page.keyboard.insert_text("111111")
    expect(code(page)).to_have_attribute("aria-invalid", "true")
    button(page, "Call me instead").click()
    expect(page.locator("otp-form .sent")).to_contain_text("calling")
    code(page).fill(CODE)
    expect(page).to_have_title("Verified")
    after = page.context.cookies()
    assert all(cookie["httpOnly"] and cookie["sameSite"] == "Strict" for cookie in after)
    assert {cookie["value"] for cookie in after}.isdisjoint(cookie["value"] for cookie in before)
    page.reload()
    expect(page).to_have_title("Verified")


def test_the_react_example_verifies_a_user(page: Page, url: str, folder: Path) -> None:
    (folder / "VerifyPhone.tsx").write_text(block("tsx"))
    (folder / "main.tsx").write_text(REACT)
    made = folder / "bundle.js"
    bundle = [str(folder / "node_modules/esbuild/bin/esbuild"), "main.tsx", "--bundle", "--jsx=automatic"]
    run(
        folder,
        *bundle,
        "--format=esm",
        '--define:process.env.NODE_ENV="development"',
        f"--outfile={made.name}",
    )

    def answer(route: Route) -> None:
        route.fulfill(body=made.read_text(), content_type="text/javascript")

    page.route("**/bundle.js", answer)
    page.route(
        "**/react",
        lambda route: route.fulfill(
            body="<!doctype html><html lang=en><title>Sign up</title><main></main>"
            "<script type=module src=/bundle.js></script>",
            content_type="text/html",
        ),
    )
    page.goto(f"{url}/react")
    expect(page.get_by_label("Country")).to_have_value("GB")
    number(page).fill(NUMBER)
    button(page, "Text me a code").click()
    code(page).fill(CODE)
    expect(page).to_have_title("Verified")


def test_the_types_pass_a_strict_compiler(folder: Path) -> None:
    (folder / "VerifyPhone.tsx").write_text(block("tsx"))
    (folder / "plain.ts").write_text(PLAIN)
    (folder / "tsconfig.json").write_text(json.dumps(TYPE_CHECK))
    run(folder, str(BIN / "node"), "node_modules/typescript/bin/tsc", "--project", "tsconfig.json")


def test_another_captcha_works_as_the_readme_says(page: Page, url: str) -> None:
    turnstile = """
      const form = document.querySelector("otp-form");
      window.turnstile = { reset: () => captcha, render: (place, { callback }) => {
        const box = document.createElement("button");
        box.textContent = "I am a person";
        box.addEventListener("click", () => callback("a-response"));
        form.append(Object.assign(document.createElement("div"), { id: "captcha", slot: "challenge" }));
        document.querySelector(place).append(box);
        return "a-widget";
      } };
    """
    page.goto(url)
    refused = {"status": 403, "errorCode": "CHALLENGE_REQUIRED"}
    page.route("**/request-code", lambda route: route.fulfill(status=403, json=refused), times=2)
    page.evaluate(turnstile + block("js", within="A challenge"))
    number(page).fill(NUMBER)
    number(page).press("Enter")
    for _ in range(2):
        with page.expect_request("**/request-code") as sent:
            page.get_by_role("button", name="I am a person").click()
        body: dict[str, Any] = sent.value.post_data_json or {}
        assert body["challenge"] == "a-response"
    expect(code(page)).to_be_focused()


def test_the_examples_use_altcha_as_the_readme_says() -> None:
    (call,) = re.findall(r"meetWithAltcha\(.+, (\{.+\})\);", block("html", within="A challenge"))
    assert f"meetWithAltcha(form, {call});" in (EXAMPLES / "page/page.js").read_text()


def test_the_readme_installs_the_tested_package_versions() -> None:
    locked: dict[str, str] = {}
    for package in ("web", "examples/express", "examples/altcha"):
        dependencies = json.loads((ROOT / package / "package.json").read_text())["dependencies"]
        assert all(locked.get(name, version) == version for name, version in dependencies.items())
        locked |= dependencies
    typed = re.findall("npm install ([^`\n]+)", README)
    assert len(typed) == 2
    for package in " ".join(typed).split():
        name, _, version = package.rpartition("@")
        assert locked[name] == version


def run(folder: Path, *command: str) -> None:
    """Run a command. Fails with its output."""
    environment = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    ended = subprocess.run(  # noqa: S603 - commands of this test's own
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr

"""Ways to cover or to alter a permission request; add rows freely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: The whole window, opaque, with a request of its own that says something harmless.
FULL = "inset:0;width:100vw;height:100vh;margin:0;border:0;background:#fff;color:#000;"
TOP = "z-index:2147483647;"
OPEN = "each => each.showPopover()"
MODAL = "each => each.showModal()"


@dataclass(frozen=True)
class Overlay:
    """What a hostile page adds to itself.

    Attributes
    ----------
    name
        Its name in a failure.
    html
        Added at the end of the body.
    ends
        ``"above"``: the request is still on top, unchanged, and can be decided. ``"refused"``: its
        buttons do nothing.
    opened
        A function of the element that is added, called when it is there.
    """

    name: str
    html: str
    ends: Literal["above", "refused"]
    opened: str = "each => undefined"


def _box(name: str, style: str) -> Overlay:
    return Overlay(name, f'<div style="{style}{FULL}{TOP}">ls</div>', "above")


def _style(name: str, rules: str, ends: Literal["above", "refused"] = "refused") -> Overlay:
    return Overlay(name, f"<style>{rules}</style>", ends)


_CARD = ".claude-magic-question"

OVERLAYS = [
    # Boxes: nothing that is not in the top layer comes above it.
    _box("fixed", "position:fixed;"),
    _box("fixed that lets clicks through", "position:fixed;pointer-events:none;"),
    _box("absolute", "position:absolute;"),
    _box("sticky", "position:sticky;"),
    _box("transformed", "position:fixed;transform:translateZ(9999px) scale(2);"),
    _box("filtered", "position:fixed;filter:blur(1px);will-change:transform;"),
    _box("with a filter for what is behind", "position:fixed;backdrop-filter:blur(30px);"),
    _box("with another blending", "position:fixed;mix-blend-mode:difference;"),
    _box("contained", "position:fixed;contain:strict;isolation:isolate;"),
    Overlay(
        "shadow",
        f'<div style="position:fixed;left:0;top:0;width:1px;height:1px;{TOP}'
        'box-shadow:0 0 0 300vmax #fff;pointer-events:none"></div>',
        "above",
    ),
    Overlay(
        "outline",
        f'<div style="position:fixed;left:50%;top:50%;width:1px;height:1px;{TOP}'
        'outline:300vmax solid #fff;pointer-events:none"></div>',
        "above",
    ),
    Overlay(
        "frame",
        f'<iframe srcdoc="ls" style="position:fixed;{FULL}{TOP}"></iframe>',
        "above",
    ),
    Overlay(
        "animation",
        "<div><style>@keyframes hop { to { transform: translateY(-100vh) } }</style>"
        f'<div style="position:fixed;{FULL}{TOP}animation:hop 0.1s infinite alternate"></div>'
        "</div>",
        "above",
    ),
    # In the top layer, opened after the request, which goes above it again.
    Overlay("popover", f'<div popover="manual" style="{FULL}">ls</div>', "above", OPEN),
    Overlay("light popover", f'<div popover="auto" style="{FULL}">ls</div>', "above", OPEN),
    Overlay(
        "popover that lets clicks through",
        f'<div popover="manual" style="{FULL}pointer-events:none">ls</div>',
        "above",
        OPEN,
    ),
    Overlay(
        "popover that is opened again",
        f'<div popover="manual" style="{FULL}pointer-events:none">ls</div>',
        "above",
        "each => { each.showPopover(); each.hidePopover(); each.showPopover(); }",
    ),
    # A modal dialog makes everything else inert.
    Overlay("modal dialog", f'<dialog style="{FULL}">ls</dialog>', "refused", MODAL),
    Overlay(
        "small modal dialog",
        '<dialog style="inset:0 auto auto 0;width:9px;height:9px;pointer-events:none"></dialog>',
        "refused",
        MODAL,
    ),
    # Styles that alter the request itself, or what it inherits from.
    _style("transparent", f"{_CARD} {{ opacity: 0.01 !important }}"),
    _style("almost transparent page", "body { opacity: 0.5 !important }"),
    _style("invisible", f"{_CARD} {{ visibility: hidden !important }}"),
    _style("blurred", f"{_CARD} {{ filter: blur(9px) !important }}"),
    _style("blurred page", "html { filter: blur(9px) !important }"),
    _style("moved", f"{_CARD} {{ transform: translateX(200px) !important }}"),
    _style("moved otherwise", f"{_CARD} {{ translate: 200px !important }}"),
    _style("out of the window", f"{_CARD} {{ margin-left: -300px !important }}"),
    _style("placed elsewhere", f"{_CARD} {{ left: -300px !important }}", "above"),
    _style("clipped", f"{_CARD} {{ clip-path: inset(60% 0 0 0) !important }}"),
    _style("masked", f"{_CARD} {{ mask-image: linear-gradient(#0000, #0000) !important }}"),
    _style("let through", f"{_CARD} {{ pointer-events: none !important }}"),
    _style("without its body", f"{_CARD} .cm-body {{ display: none !important }}"),
    _style(
        "with a body of no height",
        f"{_CARD} .cm-body {{ height: 0 !important;"
        " min-height: 0 !important; padding: 0 !important; border: 0 !important }",
    ),
    _style("without its note", f"{_CARD} .cm-note {{ display: none !important }}"),
    _style(
        "with text of its ground's colour",
        f"{_CARD} .cm-body * {{ color: transparent !important }}",
    ),
    _style(
        "with a fill that does not show",
        f"{_CARD} .cm-body {{ -webkit-text-fill-color: transparent !important }}",
    ),
    _style("with tiny text", f"{_CARD} .cm-body * {{ font-size: 1px !important }}"),
    _style(
        "with a token left out",
        f"{_CARD} .cm-body span:nth-child(2) {{ display: none !important }}",
    ),
    _style("with text moved out", f"{_CARD} .cm-body code {{ text-indent: -999px !important }}"),
    _style("with another text before", f"{_CARD} .cm-body::before {{ content: 'ls' }}"),
    _style("with another text after", f"{_CARD} .cm-title::after {{ content: ', harmless' }}"),
    _style("with buttons exchanged", f"{_CARD} .cm-no::before {{ content: 'Allow' }}"),
    _style("zoomed", "body { zoom: 1.7 }"),
]
